// The specification's names as the kernel's numbers. Unknown names are errors of the caller's to report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mxc::sandbox {

// "CAP_SYS_ADMIN" → 21 (capability.h of Linux 6.18 ends with 40).
std::optional<int> CapabilityNumber(std::string_view name);
// 21 → "CAP_SYS_ADMIN"; "capability 50" for a number without a name here.
std::string CapabilityName(int number);

// "RLIMIT_NOFILE" → 7; and back, "" when unknown.
std::optional<int> RlimitNumber(std::string_view name);
std::string_view RlimitName(int resource);

}  // namespace mxc::sandbox
