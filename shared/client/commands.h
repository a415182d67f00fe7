// The commands that only look: they print and change nothing, on Linux and Windows alike.
#pragma once

#include <string>

#include "shared/client/host.h"
#include "shared/client/options.h"

namespace mxc::client {

// What to print on standard output.
Result<std::string> RunSpecCommand(const Options& options, Host& host);
Result<std::string> RunCheckCommand(const Options& options, Host& host);
Result<std::string> RunMigrateCommand(const Options& options, Host& host);
Result<std::string> RunWhyCommand(const Options& options, Host& host);
Result<std::string> RunProfilesCommand(const Options& options, Host& host);
std::string VersionText(const std::string& program);

}  // namespace mxc::client
