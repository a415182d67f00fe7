// What a container's group counted, in the shape of `runc events --stats`: the words and units that containerd, podman
// and cAdvisor read. Source: runc, types/events.go.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mxc::cgroup {

// Bytes; limit UINT64_MAX: none.
struct MemoryCount {
  uint64_t usage = 0, max = 0, failcnt = 0, limit = 0;
  bool operator==(const MemoryCount&) const = default;
};

// One device's count of one operation: op "Read", "Write", "Sync", "Async", "Discard", "Total".
struct BlockCount {
  uint64_t major = 0, minor = 0;
  std::string op;
  uint64_t value = 0;
  bool operator==(const BlockCount&) const = default;
};

struct HugepageCount {
  uint64_t usage = 0, max = 0, failcnt = 0;
  bool operator==(const HugepageCount&) const = default;
};

struct RdmaCount {
  std::string device;
  uint32_t hca_handles = 0, hca_objects = 0;
  bool operator==(const RdmaCount&) const = default;
};

// What this host or group doesn't count is 0 or empty.
struct Stats {
  // Nanoseconds of processor time.
  uint64_t cpu_total = 0, cpu_kernel = 0, cpu_user = 0;
  std::vector<uint64_t> cpu_each;  // by processor; v1 only
  std::vector<uint64_t> cpu_each_kernel, cpu_each_user;
  uint64_t throttled_periods = 0, periods = 0, throttled_ns = 0;

  std::vector<uint16_t> cpus, mems;  // of the cpuset
  uint64_t cpu_exclusive = 0, mem_exclusive = 0, mem_hardwall = 0, memory_migrate = 0, memory_spread_page = 0,
           memory_spread_slab = 0, memory_pressure = 0, sched_load_balance = 0;
  int64_t sched_relax_domain_level = 0;

  uint64_t memory_cache = 0;
  MemoryCount memory, swap, kernel, kernel_tcp;
  std::map<std::string, uint64_t> memory_raw;  // memory.stat

  uint64_t pids = 0, pids_limit = 0;  // limit 0: none

  std::vector<BlockCount> io_service_bytes, io_serviced, io_queued, io_service_time, io_wait_time, io_merged, io_time,
      sectors;
  std::map<std::string, HugepageCount> hugepages;  // "2MB"
  std::vector<RdmaCount> rdma_limit, rdma_current;
  bool operator==(const Stats&) const = default;
};

class Group;
// Reads what the group's files say now.
Stats ReadStats(const Group& group);

// The object under "data" of an event, as JSON without a newline. network_interfaces: a JSON list, or "".
std::string WriteStats(const Stats& stats, const std::string& network_interfaces = "");

}  // namespace mxc::cgroup
