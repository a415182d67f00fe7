// What a group limits, and the cgroup files that say so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "linux_runtime/cgroup/layout.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::cgroup {

inline constexpr uint64_t kUnlimited = UINT64_MAX;

// Absent: not limited by this group (its parents' limits still count).
struct Limits {
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> swap_bytes;         // on top of memory; 0: none
  std::optional<uint64_t> reservation_bytes;  // kept when the host runs short
  std::optional<double> cpus;                 // 1.5: one and a half processors, as bandwidth
  std::optional<uint64_t> cpu_period_us;      // for cpus; absent: 100,000
  std::optional<uint64_t> cpu_burst_us;
  std::optional<uint64_t> cpu_shares;         // v1's scale: 2 … 262144, 1024 is even
  std::optional<bool> cpu_idle;
  std::string cpuset_cpus, cpuset_mems;       // lists, "0-3,7"; empty: the parent's
  std::optional<uint64_t> pids;               // tasks, threads too
  std::optional<uint64_t> swappiness;         // v1 only
  std::optional<bool> disable_oom_killer;     // v1 only
  std::vector<std::pair<std::string, uint64_t>> hugepages;  // "2MB", bytes
  std::map<std::string, std::string> unified;               // v2 only: file, content

  bool operator==(const Limits&) const = default;
};

// linux.resources as far as groups are concerned. `devices` is not: who builds /dev decides on it. An error names the
// field that isn't built (blockIO, network, rdma, kernel memory, real-time shares) or that contradicts another.
Result<Limits> LimitsFrom(const oci::Resources& resources);

// One write into a new group.
struct Setting {
  Controllers controller = 0;
  std::string file, value;
  std::string field;  // of the OCI spec, for messages: "linux.resources.pids.limit"
  bool operator==(const Setting&) const = default;
};

// In the order in which the kernel takes them. v2: memory.high comes along at 95 % of the memory limit, so that a
// sandbox near it is slowed down and reclaimed first, and memory.oom.group, so that running out ends it as a whole.
Result<std::vector<Setting>> SettingsFor(const Limits& limits, Version version);

}  // namespace mxc::cgroup
