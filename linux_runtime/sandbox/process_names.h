// Names of config.json's process as the kernel's numbers (sched_setattr(2), ioprio_set(2), set_mempolicy(2)). Unknown names
// are errors of the caller's to report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mxc::sandbox {

std::optional<uint32_t> SchedulerPolicyNumber(std::string_view name);  // "SCHED_BATCH" → 3
std::optional<uint64_t> SchedulerFlagNumber(std::string_view name);    // "SCHED_FLAG_RESET_ON_FORK" → 1
std::optional<int> IoClassNumber(std::string_view name);               // "IOPRIO_CLASS_BE" → 2
std::optional<int> MemoryPolicyMode(std::string_view name);            // "MPOL_BIND" → 2
std::optional<int> MemoryPolicyFlag(std::string_view name);            // "MPOL_F_STATIC_NODES" → 1 << 15

}  // namespace mxc::sandbox
