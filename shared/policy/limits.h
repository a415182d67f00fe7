// The limits of Resources by name: the spelling of x-linux.resources, of profiles, of floors and of
// EffectivePolicy::named_limits. "cpus" is the one that is no whole number and stands beside the table.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shared/policy/policy.h"

namespace mxc::policy {

struct Limit {
  std::string_view name;
  std::optional<uint64_t> Resources::*value;
  bool bytes;  // else a count
};

inline constexpr Limit kLimits[] = {
    {"memory", &Resources::memory_bytes, true},
    {"swap", &Resources::swap_bytes, true},
    {"pids", &Resources::pids, false},
    {"tmp", &Resources::tmp_bytes, true},
    {"shm", &Resources::shm_bytes, true},
    {"tmpfsInodes", &Resources::tmpfs_inodes, false},
    {"openFiles", &Resources::open_files, false},
    {"fileSize", &Resources::file_bytes, true},
    {"memlock", &Resources::memlock_bytes, true},
    {"stack", &Resources::stack_bytes, true},
    {"core", &Resources::core_bytes, true},
};
inline constexpr std::string_view kCpus = "cpus";

}  // namespace mxc::policy
