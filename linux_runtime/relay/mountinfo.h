// /proc/self/mountinfo (proc_pid_mountinfo(5)), and which of its mounts a path still leads to. Text in, values out.
// Read strictly: a line that isn't understood could be the mount that hides another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace mxc::relay {

struct MountEntry {
  uint64_t id = 0, parent = 0;
  uint32_t major = 0, minor = 0;
  std::string root;         // the folder of the file system that is shown; "/" for all of it
  std::string mount_point;  // seen from the process's root; "/x//deleted" when the folder below it was removed
  std::string type;
  std::string source;
  // The file system's options as the kernel writes them. Not unescaped, since not every file system escapes: 9p writes
  // its aname as it was given.
  std::string options;
  bool operator==(const MountEntry&) const = default;
};

// Octal escapes (\040) are taken out of all fields but `options`. A backslash that begins no escape stays in a source,
// which some network file systems write so.
// Errors (kInvalid): a malformed line; two mounts with one id.
Result<std::vector<MountEntry>> ParseMountinfo(std::string_view text);

// The entry with this id, or nullptr.
const MountEntry* FindMount(const std::vector<MountEntry>& mounts, uint64_t id);

// The mounts that a path goes through to reach `mount`, itself first, the root's last.
// Nothing: the chain of parents does not end at one on "/".
std::vector<const MountEntry*> ChainOf(const std::vector<MountEntry>& mounts, const MountEntry& mount);

// Why the mount point's path does not lead to this mount, "something is mounted over it (tmpfs at /mnt)": another mount
// lies on it or on a folder on the way. "" when it does lead there. Where mounts are stacked in a way that leaves the
// answer open, there is a reason.
std::string WhyHidden(const std::vector<MountEntry>& mounts, const MountEntry& mount);

}  // namespace mxc::relay
