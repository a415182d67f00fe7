#include "linux_runtime/cgroup/limits.h"

#include <algorithm>
#include <cmath>

namespace mxc::cgroup {
namespace {

constexpr uint64_t kDefaultPeriodUs = 100'000;
// The kernel refuses a quota below a millisecond and a period above a second.
constexpr uint64_t kLeastQuotaUs = 1000;
constexpr uint64_t kLongestPeriodUs = 1'000'000;

Error NotBuilt(const char* field, const char* what) {
  return Error(Code::kUnsupported, std::string("linux.resources.") + field + ": " + what + " can't be limited yet")
      .WithHint("leave the field out");
}

Error Contradiction(const char* field, const std::string& why) {
  return Error(Code::kInvalid, std::string("linux.resources.") + field + ": " + why);
}

std::optional<uint64_t> Unsigned(const std::optional<int64_t>& value) {
  if (!value) return std::nullopt;
  return *value < 0 ? kUnlimited : static_cast<uint64_t>(*value);
}

std::string Text(uint64_t value, const char* unlimited) {
  return value == kUnlimited ? std::string(unlimited) : std::to_string(value);
}

// v1's scale of shares onto v2's of weights, end to end: 2 → 1, 262144 → 10000. Both runc and crun use this line.
uint64_t WeightOfShares(uint64_t shares) {
  uint64_t inside = std::clamp<uint64_t>(shares, 2, 262144);
  return 1 + (inside - 2) * 9999 / 262142;
}

struct Bandwidth {
  uint64_t quota, period;
};
std::optional<Bandwidth> BandwidthOf(const Limits& limits) {
  if (!limits.cpus && !limits.cpu_period_us) return std::nullopt;
  uint64_t period = limits.cpu_period_us.value_or(kDefaultPeriodUs);
  if (!limits.cpus) return Bandwidth{kUnlimited, period};
  bool small = *limits.cpus * static_cast<double>(period) < static_cast<double>(kLeastQuotaUs);
  if (small && !limits.cpu_period_us) period = kLongestPeriodUs;
  return Bandwidth{static_cast<uint64_t>(std::llround(*limits.cpus * static_cast<double>(period))), period};
}

class List {
 public:
  void Add(Controllers controller, std::string file, std::string value, const char* field) {
    settings_.push_back({controller, std::move(file), std::move(value), std::string("linux.resources.") + field});
  }
  std::vector<Setting> Take() && { return std::move(settings_); }

 private:
  std::vector<Setting> settings_;
};

Result<std::vector<Setting>> SettingsV1(const Limits& limits) {
  if (!limits.unified.empty()) {
    return Error(Code::kUnsupported, "linux.resources.unified: this host's controllers are cgroup v1, which has no such files")
        .WithHint("use memory, cpu and pids instead, or boot with cgroup v2");
  }
  List list;
  // limit before memsw: memory and swap together may not be below memory alone.
  if (limits.memory_bytes) list.Add(kMemory, "memory.limit_in_bytes", Text(*limits.memory_bytes, "-1"), "memory.limit");
  if (limits.swap_bytes) {
    bool open = *limits.swap_bytes == kUnlimited || limits.memory_bytes.value_or(kUnlimited) == kUnlimited;
    uint64_t both = open ? kUnlimited : *limits.memory_bytes + *limits.swap_bytes;
    list.Add(kMemory, "memory.memsw.limit_in_bytes", Text(both, "-1"), "memory.swap");
  }
  if (limits.reservation_bytes) {
    list.Add(kMemory, "memory.soft_limit_in_bytes", Text(*limits.reservation_bytes, "-1"), "memory.reservation");
  }
  if (limits.swappiness) list.Add(kMemory, "memory.swappiness", std::to_string(*limits.swappiness), "memory.swappiness");
  if (limits.disable_oom_killer) {
    list.Add(kMemory, "memory.oom_control", *limits.disable_oom_killer ? "1" : "0", "memory.disableOOMKiller");
  }
  if (limits.pids) list.Add(kPids, "pids.max", Text(*limits.pids, "max"), "pids.limit");
  if (limits.cpu_shares) list.Add(kCpu, "cpu.shares", std::to_string(*limits.cpu_shares), "cpu.shares");
  if (auto bandwidth = BandwidthOf(limits)) {
    if (bandwidth->period != kDefaultPeriodUs) {
      list.Add(kCpu, "cpu.cfs_period_us", std::to_string(bandwidth->period), "cpu.period");
    }
    if (limits.cpus) list.Add(kCpu, "cpu.cfs_quota_us", Text(bandwidth->quota, "-1"), "cpu.quota");
  }
  if (limits.cpu_burst_us) list.Add(kCpu, "cpu.cfs_burst_us", std::to_string(*limits.cpu_burst_us), "cpu.burst");
  if (limits.cpu_idle) list.Add(kCpu, "cpu.idle", *limits.cpu_idle ? "1" : "0", "cpu.idle");
  if (!limits.cpuset_cpus.empty()) list.Add(kCpuset, "cpuset.cpus", limits.cpuset_cpus, "cpu.cpus");
  if (!limits.cpuset_mems.empty()) list.Add(kCpuset, "cpuset.mems", limits.cpuset_mems, "cpu.mems");
  for (const auto& [size, bytes] : limits.hugepages) {
    list.Add(kHugetlb, "hugetlb." + size + ".limit_in_bytes", Text(bytes, "-1"), "hugepageLimits");
  }
  return std::move(list).Take();
}

Result<std::vector<Setting>> SettingsV2(const Limits& limits) {
  List list;
  if (limits.memory_bytes) {
    bool limited = *limits.memory_bytes != kUnlimited;
    list.Add(kMemory, "memory.max", Text(*limits.memory_bytes, "max"), "memory.limit");
    if (limited && limits.unified.count("memory.high") == 0) {
      list.Add(kMemory, "memory.high", std::to_string(*limits.memory_bytes / 20 * 19), "memory.limit");
    }
    if (limited && limits.unified.count("memory.oom.group") == 0) {
      list.Add(kMemory, "memory.oom.group", "1", "memory.limit");
    }
  }
  if (limits.swap_bytes) list.Add(kMemory, "memory.swap.max", Text(*limits.swap_bytes, "max"), "memory.swap");
  if (limits.reservation_bytes) {
    list.Add(kMemory, "memory.low", Text(*limits.reservation_bytes, "max"), "memory.reservation");
  }
  if (limits.swappiness) {
    return Error(Code::kUnsupported, "linux.resources.memory.swappiness: cgroup v2 has none").WithHint("leave the field out");
  }
  if (limits.disable_oom_killer.value_or(false)) {
    return Error(Code::kUnsupported, "linux.resources.memory.disableOOMKiller: cgroup v2 can't disable it")
        .WithHint("leave the field out");
  }
  if (limits.pids) list.Add(kPids, "pids.max", Text(*limits.pids, "max"), "pids.limit");
  if (limits.cpu_shares) list.Add(kCpu, "cpu.weight", std::to_string(WeightOfShares(*limits.cpu_shares)), "cpu.shares");
  if (auto bandwidth = BandwidthOf(limits)) {
    list.Add(kCpu, "cpu.max", Text(bandwidth->quota, "max") + " " + std::to_string(bandwidth->period),
             limits.cpus ? "cpu.quota" : "cpu.period");
  }
  if (limits.cpu_burst_us) list.Add(kCpu, "cpu.max.burst", std::to_string(*limits.cpu_burst_us), "cpu.burst");
  if (limits.cpu_idle) list.Add(kCpu, "cpu.idle", *limits.cpu_idle ? "1" : "0", "cpu.idle");
  if (!limits.cpuset_cpus.empty()) list.Add(kCpuset, "cpuset.cpus", limits.cpuset_cpus, "cpu.cpus");
  if (!limits.cpuset_mems.empty()) list.Add(kCpuset, "cpuset.mems", limits.cpuset_mems, "cpu.mems");
  for (const auto& [size, bytes] : limits.hugepages) {
    list.Add(kHugetlb, "hugetlb." + size + ".max", Text(bytes, "max"), "hugepageLimits");
  }
  for (const auto& [file, value] : limits.unified) {
    bool plain = file.find('/') == std::string::npos && file.find('.') != std::string::npos && !file.starts_with("cgroup.");
    Controllers controller = plain ? ParseControllers(file.substr(0, file.find('.'))) : 0;
    if (controller == 0) {
      return Contradiction("unified", "'" + file + "' is no file of a controller that is handed on here (" +
                                          ControllerNames(kMemory | kPids | kCpu | kCpuset | kHugetlb | kIo) + ")");
    }
    list.Add(controller, file, value, "unified");
  }
  return std::move(list).Take();
}

}  // namespace

Result<Limits> LimitsFrom(const oci::Resources& resources) {
  Limits limits;
  const oci::MemoryResources& memory = resources.memory;
  if (memory.kernel) return NotBuilt("memory.kernel", "kernel memory");
  if (memory.kernel_tcp) return NotBuilt("memory.kernelTCP", "TCP buffers");
  if (!(resources.block_io == oci::BlockIoResources{})) return NotBuilt("blockIO", "block device traffic");
  if (!(resources.network == oci::NetworkResources{})) return NotBuilt("network", "network classes");
  if (!resources.rdma.empty()) return NotBuilt("rdma", "RDMA");
  limits.memory_bytes = Unsigned(memory.limit);
  limits.reservation_bytes = Unsigned(memory.reservation);
  limits.swappiness = memory.swappiness;
  limits.disable_oom_killer = memory.disable_oom_killer;
  if (memory.limit && *memory.limit == 0) return Contradiction("memory.limit", "0 bytes leave no room for a process");
  if (auto both = Unsigned(memory.swap)) {
    if (*both == kUnlimited) {
      limits.swap_bytes = kUnlimited;
    } else if (!limits.memory_bytes || *limits.memory_bytes == kUnlimited) {
      return Contradiction("memory.swap", "it counts memory and swap together, so memory.limit has to be set too");
    } else if (*both < *limits.memory_bytes) {
      return Contradiction("memory.swap", std::to_string(*both) + " is below memory.limit, " +
                                              std::to_string(*limits.memory_bytes) + ", which it includes");
    } else {
      limits.swap_bytes = *both - *limits.memory_bytes;
    }
  }
  const oci::CpuResources& cpu = resources.cpu;
  // 0 in these means the default; podman and containerd send it.
  if (cpu.realtime_runtime.value_or(0) != 0 || cpu.realtime_period.value_or(0) != 0) {
    return NotBuilt("cpu.realtimeRuntime", "real-time scheduling");
  }
  if (cpu.shares.value_or(0) != 0) limits.cpu_shares = cpu.shares;
  if (cpu.period.value_or(0) != 0) limits.cpu_period_us = cpu.period;
  if (cpu.quota.value_or(0) > 0) {
    limits.cpus = static_cast<double>(*cpu.quota) / static_cast<double>(limits.cpu_period_us.value_or(kDefaultPeriodUs));
  }
  limits.cpu_burst_us = cpu.burst;
  if (cpu.idle) limits.cpu_idle = *cpu.idle != 0;
  limits.cpuset_cpus = cpu.cpus;
  limits.cpuset_mems = cpu.mems;
  if (auto pids = resources.pids.limit) limits.pids = *pids <= 0 ? kUnlimited : static_cast<uint64_t>(*pids);
  for (const oci::HugepageLimit& limit : resources.hugepage_limits) {
    if (limit.page_size.empty() || limit.page_size.find('/') != std::string::npos) {
      return Contradiction("hugepageLimits", "'" + limit.page_size + "' is no page size");
    }
    limits.hugepages.emplace_back(limit.page_size, limit.limit);
  }
  limits.unified = resources.unified;
  return limits;
}

Result<std::vector<Setting>> SettingsFor(const Limits& limits, Version version) {
  if (limits.cpus && !(*limits.cpus > 0)) return Contradiction("cpu.quota", "the number of processors must be above 0");
  return version == Version::kV2 ? SettingsV2(limits) : SettingsV1(limits);
}

}  // namespace mxc::cgroup
