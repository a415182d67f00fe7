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
  std::optional<uint64_t> memory_and_swap_bytes;  // both together; as much as memory_bytes: no swap
  std::optional<uint64_t> reservation_bytes;      // kept when the host runs short
  std::optional<uint64_t> kernel_bytes;           // v1 before Linux 5.16; deprecated
  std::optional<uint64_t> kernel_tcp_bytes;       // v1 only
  std::optional<uint64_t> swappiness;             // v1 only
  std::optional<bool> disable_oom_killer;         // v1 only
  bool use_hierarchy = false;                     // v1 before Linux 5.11; later ones always do
  bool check_before_update = false;               // refuse a memory limit below what is in use
  std::optional<uint64_t> cpu_quota_us;           // of each period
  std::optional<uint64_t> cpu_period_us;          // absent: 100,000, or what it was
  std::optional<uint64_t> cpu_burst_us;
  std::optional<uint64_t> cpu_shares;  // v1's scale: 2 … 262144, 1024 is even
  std::optional<bool> cpu_idle;
  std::optional<int64_t> realtime_runtime_us;  // v1 only, as the period
  std::optional<uint64_t> realtime_period_us;
  std::string cpuset_cpus, cpuset_mems;                     // lists, "0-3,7"; empty: the parent's
  std::optional<uint64_t> pids;                             // tasks, threads too
  std::vector<std::pair<std::string, uint64_t>> hugepages;  // "2MB", bytes
  oci::BlockIoResources block_io;
  oci::NetworkResources network;  // v1 only
  std::map<std::string, oci::Rdma> rdma;
  std::map<std::string, std::string> unified;  // v2 only: file, content

  bool operator==(const Limits&) const = default;
};

// linux.resources as far as groups are concerned, without `devices`: device_rules.h. An error names the field that
// contradicts another. Following runc and crun, 0 stands for "not set" where the specification gives it no meaning.
Result<Limits> LimitsFrom(const oci::Resources& resources);

// What becomes of a setting whose file the kernel doesn't have.
enum class IfMissing : uint8_t {
  kError,
  kNote,      // a deprecated field, which runc ignores: the user is told
  kLeaveOut,  // it comes along with another setting that isn't missing
};

// One write into a group.
struct Setting {
  Controllers controller = 0;
  std::string file, value;
  std::string field;  // of the OCI spec, for messages: "linux.resources.pids.limit"
  IfMissing if_missing = IfMissing::kError;
  std::string other_file, other_value;  // tried where the kernel doesn't have `file`
  bool operator==(const Setting&) const = default;
};

enum class Purpose : uint8_t {
  // A new group of our own sandboxes. v2: memory.high comes along at 95 % of the memory limit, so that a sandbox near it
  // is slowed down and reclaimed first, and memory.oom.group, so that running out ends it as a whole.
  kSandbox,
  kBundle,  // a new group that has what its spec says and no more
  kUpdate,  // a group in use: values that a new group has anyway are written too
};

// In the order in which the kernel takes them for a new group. An error names the field that this version of cgroups
// can't enforce.
Result<std::vector<Setting>> SettingsFor(const Limits& limits, Version version, Purpose purpose = Purpose::kSandbox);

}  // namespace mxc::cgroup
