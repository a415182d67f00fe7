// The specification's names as the kernel's numbers. Unknown names are errors of the caller's to report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mxc::sandbox {

// "CAP_SYS_ADMIN" → 21 (capability.h of Linux 6.18 ends with 40).
std::optional<int> CapabilityNumber(std::string_view name);
// 21 → "CAP_SYS_ADMIN"; "capability 50" for a number without a name here.
std::string CapabilityName(int number);

// "RLIMIT_NOFILE" → 7; and back, "" when unknown.
std::optional<int> RlimitNumber(std::string_view name);
std::string_view RlimitName(int resource);

// What one option of the specification's mount list does (mount(8), runtime-spec config.md "Linux mount options").
struct MountOption {
  uint64_t set = 0;        // MOUNT_ATTR_*
  uint64_t clear = 0;
  bool recursive = false;  // rro, rnosuid, …: below, too
  bool bind = false;
  bool bind_recursive = false;
  bool ignored = false;    // no effect here: defaults, private and the like, which is how every mount of ours is
};
std::optional<MountOption> FindMountOption(std::string_view name);

}  // namespace mxc::sandbox
