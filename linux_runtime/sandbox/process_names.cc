#include "linux_runtime/sandbox/process_names.h"

#include <utility>

namespace mxc::sandbox {
namespace {

template <typename Number, size_t N>
std::optional<Number> Find(std::string_view name, const std::pair<std::string_view, Number> (&names)[N]) {
  for (auto [known, number] : names) {
    if (known == name) return number;
  }
  return std::nullopt;
}

// include/uapi/linux/sched.h of Linux 6.18. SCHED_ISO is reserved: no kernel takes it.
constexpr std::pair<std::string_view, uint32_t> kPolicies[] = {
    {"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},       {"SCHED_BATCH", 3},
    {"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6},
};
constexpr std::pair<std::string_view, uint64_t> kSchedulerFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},     {"SCHED_FLAG_DL_OVERRUN", 0x04},
    {"SCHED_FLAG_KEEP_POLICY", 0x08},    {"SCHED_FLAG_KEEP_PARAMS", 0x10}, {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};
// include/uapi/linux/ioprio.h
constexpr std::pair<std::string_view, int> kIoClasses[] = {
    {"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}};
// include/uapi/linux/mempolicy.h; PREFERRED_MANY is of Linux 5.15, WEIGHTED_INTERLEAVE of 6.9.
constexpr std::pair<std::string_view, int> kModes[] = {
    {"MPOL_DEFAULT", 0},
    {"MPOL_PREFERRED", 1},
    {"MPOL_BIND", 2},
    {"MPOL_INTERLEAVE", 3},
    {"MPOL_LOCAL", 4},
    {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6},
};
constexpr std::pair<std::string_view, int> kModeFlags[] = {
    {"MPOL_F_NUMA_BALANCING", 1 << 13}, {"MPOL_F_RELATIVE_NODES", 1 << 14}, {"MPOL_F_STATIC_NODES", 1 << 15}};

}  // namespace

std::optional<uint32_t> SchedulerPolicyNumber(std::string_view name) { return Find(name, kPolicies); }
std::optional<uint64_t> SchedulerFlagNumber(std::string_view name) { return Find(name, kSchedulerFlags); }
std::optional<int> IoClassNumber(std::string_view name) { return Find(name, kIoClasses); }
std::optional<int> MemoryPolicyMode(std::string_view name) { return Find(name, kModes); }
std::optional<int> MemoryPolicyFlag(std::string_view name) { return Find(name, kModeFlags); }

}  // namespace mxc::sandbox
