#include "linux_runtime/cgroup/limits.h"

#include "linux_runtime/cgroup/settings.h"

namespace mxc::cgroup {
namespace {

Error Contradiction(const char* field, const std::string& why) {
  return Error(Code::kInvalid, std::string("linux.resources.") + field + ": " + why);
}

// Bytes of which -1 and anything else below 0 is no limit, and 0 is absent.
std::optional<uint64_t> Bytes(const std::optional<int64_t>& value) {
  if (!value || *value == 0) return std::nullopt;
  return *value < 0 ? kUnlimited : static_cast<uint64_t>(*value);
}

template <class T>
std::optional<T> NotZero(const std::optional<T>& value) {
  return value.value_or(0) == 0 ? std::nullopt : value;
}

Result<void> ReadMemory(const oci::MemoryResources& memory, Limits& limits) {
  limits.memory_bytes = Bytes(memory.limit);
  limits.memory_and_swap_bytes = Bytes(memory.swap);
  limits.reservation_bytes = Bytes(memory.reservation);
  limits.kernel_bytes = Bytes(memory.kernel);
  limits.kernel_tcp_bytes = Bytes(memory.kernel_tcp);
  limits.swappiness = memory.swappiness;
  limits.disable_oom_killer = memory.disable_oom_killer;
  limits.use_hierarchy = memory.use_hierarchy.value_or(false);
  limits.check_before_update = memory.check_before_update.value_or(false);
  if (limits.memory_and_swap_bytes && limits.memory_bytes && *limits.memory_and_swap_bytes < *limits.memory_bytes) {
    if (*limits.memory_bytes == kUnlimited)
      return Contradiction("memory.swap", "limited, while memory.limit, which it includes, is not");
    return Contradiction("memory.swap", std::to_string(*limits.memory_and_swap_bytes) + " is below memory.limit, " +
                                            std::to_string(*limits.memory_bytes) + ", which it includes");
  }
  return {};
}

void ReadCpu(const oci::CpuResources& cpu, Limits& limits) {
  limits.cpu_shares = NotZero(cpu.shares);
  limits.cpu_period_us = NotZero(cpu.period);
  limits.cpu_quota_us = Bytes(cpu.quota);
  limits.cpu_burst_us = cpu.burst;
  if (cpu.idle) limits.cpu_idle = *cpu.idle != 0;
  limits.realtime_runtime_us = NotZero(cpu.realtime_runtime);
  limits.realtime_period_us = NotZero(cpu.realtime_period);
  limits.cpuset_cpus = cpu.cpus;
  limits.cpuset_mems = cpu.mems;
}

Result<void> CheckWeight(const std::optional<uint16_t>& weight, const char* field) {
  if (weight.value_or(0) == 0 || (*weight >= 10 && *weight <= 1000)) return {};
  return Contradiction(field, std::to_string(*weight) + " is not a weight, 10 to 1000");
}

Result<void> CheckBlockIo(const oci::BlockIoResources& block) {
  MXC_TRY(CheckWeight(block.weight, "blockIO.weight"));
  MXC_TRY(CheckWeight(block.leaf_weight, "blockIO.leafWeight"));
  for (const oci::WeightDevice& device : block.weight_device) {
    MXC_TRY(CheckWeight(device.weight, "blockIO.weightDevice"));
    MXC_TRY(CheckWeight(device.leaf_weight, "blockIO.weightDevice"));
  }
  return {};
}

// Names end up within a line of a cgroup file.
Result<void> CheckNames(const oci::Resources& resources) {
  auto word = [](const std::string& name) {
    return !name.empty() && name.find_first_of(" \t\n\v\f\r/") == std::string::npos;
  };
  for (const oci::InterfacePriority& priority : resources.network.priorities) {
    if (!word(priority.name))
      return Contradiction("network.priorities", "'" + priority.name + "' is no network interface's name");
  }
  for (const auto& [device, limit] : resources.rdma) {
    if (!word(device)) return Contradiction("rdma", "'" + device + "' is no device's name");
  }
  for (const oci::HugepageLimit& limit : resources.hugepage_limits) {
    if (!word(limit.page_size)) return Contradiction("hugepageLimits", "'" + limit.page_size + "' is no page size");
  }
  return {};
}

}  // namespace

Result<Limits> LimitsFrom(const oci::Resources& resources) {
  MXC_TRY(CheckNames(resources));
  MXC_TRY(CheckBlockIo(resources.block_io));
  Limits limits;
  MXC_TRY(ReadMemory(resources.memory, limits));
  ReadCpu(resources.cpu, limits);
  if (auto pids = resources.pids.limit) limits.pids = *pids <= 0 ? kUnlimited : static_cast<uint64_t>(*pids);
  for (const oci::HugepageLimit& limit : resources.hugepage_limits)
    limits.hugepages.emplace_back(limit.page_size, limit.limit);
  limits.block_io = resources.block_io;
  limits.network = resources.network;
  limits.rdma = resources.rdma;
  limits.unified = resources.unified;
  return limits;
}

Result<std::vector<Setting>> SettingsFor(const Limits& limits, Version version, Purpose purpose) {
  bool swap = limits.memory_and_swap_bytes.value_or(kUnlimited) != kUnlimited;
  // v1 keeps both numbers, so that an update may give one of them.
  bool alone = version == Version::kV2 || purpose != Purpose::kUpdate;
  if (swap && alone && limits.memory_bytes.value_or(kUnlimited) == kUnlimited) {
    return Contradiction("memory.swap", "it counts memory and swap together, so memory.limit has to be set too");
  }
  return version == Version::kV2 ? SettingsV2(limits, purpose) : SettingsV1(limits, purpose);
}

}  // namespace mxc::cgroup
