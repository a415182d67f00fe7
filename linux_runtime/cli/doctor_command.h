// `mxc doctor`: what this host can enforce.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/client/options.h"

namespace mxc::cli {

Result<std::string> DoctorCommand(const client::Options& options, bool color);

}  // namespace mxc::cli
