// A container's Landlock rules as they lie in its folder, for processes that enter it later.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "linux_runtime/sandbox/landlock.h"
#include "shared/base/result.h"

namespace mxc::container {

inline constexpr char kLandlockFile[] = "landlock";

// JSON, for this version of the program only.
std::string WriteLandlockRules(const sandbox::LandlockPlan& plan);
// Errors: kInvalid.
Result<sandbox::LandlockPlan> ReadLandlockRules(std::string_view text);

}  // namespace mxc::container
