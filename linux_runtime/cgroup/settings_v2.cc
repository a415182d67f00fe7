// The files of cgroup v2: Documentation/admin-guide/cgroup-v2.rst of the kernel.
#include <algorithm>

#include "linux_runtime/cgroup/settings.h"

namespace mxc::cgroup {
namespace {

// v1's scale of shares onto v2's of weights, end to end: 2 → 1, 262144 → 10000. Both runc and crun use this line.
uint64_t WeightOfShares(uint64_t shares) {
  uint64_t inside = std::clamp<uint64_t>(shares, 2, 262144);
  return 1 + (inside - 2) * 9999 / 262142;
}

// blkio's scale onto io.weight's: 10 → 1, 1000 → 10000.
uint64_t IoWeight(uint16_t weight) { return 1 + (uint64_t{weight} - 10) * 9999 / 990; }

Result<void> AddMemory(const Limits& limits, Purpose purpose, SettingList& list) {
  if (limits.memory_bytes) {
    bool limited = *limits.memory_bytes != kUnlimited;
    list.Add(kMemory, "memory.max", NumberOr(*limits.memory_bytes, "max"), "memory.limit");
    bool sandbox = purpose == Purpose::kSandbox && limited;
    if (sandbox && limits.unified.count("memory.high") == 0) {
      list.Add(kMemory, "memory.high", std::to_string(*limits.memory_bytes / 20 * 19), "memory.limit");
    }
    if (sandbox && limits.unified.count("memory.oom.group") == 0) {
      list.Add(kMemory, "memory.oom.group", "1", "memory.limit");
    }
  }
  if (auto both = limits.memory_and_swap_bytes) {
    uint64_t swap = *both == kUnlimited ? kUnlimited : *both - *limits.memory_bytes;
    list.Add(kMemory, "memory.swap.max", NumberOr(swap, "max"), "memory.swap");
  } else if (limits.memory_bytes == kUnlimited && purpose == Purpose::kUpdate) {
    list.Add(kMemory, "memory.swap.max", "max", "memory.limit").if_missing = IfMissing::kLeaveOut;
  }
  if (limits.reservation_bytes) {
    list.Add(kMemory, "memory.low", NumberOr(*limits.reservation_bytes, "max"), "memory.reservation");
  }
  if (limits.kernel_bytes.value_or(kUnlimited) != kUnlimited) {
    // There never was such a file; the note says so.
    list.Add(kMemory, "memory.kmem.limit_in_bytes", std::to_string(*limits.kernel_bytes), "memory.kernel").if_missing =
        IfMissing::kNote;
  }
  if (limits.kernel_tcp_bytes.value_or(kUnlimited) != kUnlimited)
    return NotInVersion("memory.kernelTCP", "it counts TCP buffers as memory");
  if (limits.swappiness) return NotInVersion("memory.swappiness", "it has none");
  if (limits.disable_oom_killer.value_or(false)) return NotInVersion("memory.disableOOMKiller", "it can't disable it");
  return {};
}

Result<void> AddCpu(const Limits& limits, SettingList& list) {
  if (limits.realtime_runtime_us) return NotInVersion("cpu.realtimeRuntime", "it has no real-time shares");
  if (limits.realtime_period_us) return NotInVersion("cpu.realtimePeriod", "it has no real-time shares");
  if (limits.cpu_shares) list.Add(kCpu, "cpu.weight", std::to_string(WeightOfShares(*limits.cpu_shares)), "cpu.shares");
  if (limits.cpu_quota_us || limits.cpu_period_us) {
    // The period stays as it is when it isn't named.
    std::string value = NumberOr(limits.cpu_quota_us.value_or(kUnlimited), "max");
    if (limits.cpu_period_us) value += " " + std::to_string(*limits.cpu_period_us);
    list.Add(kCpu, "cpu.max", value, limits.cpu_quota_us ? "cpu.quota" : "cpu.period");
  }
  if (limits.cpu_burst_us) list.Add(kCpu, "cpu.max.burst", std::to_string(*limits.cpu_burst_us), "cpu.burst");
  if (limits.cpu_idle) list.Add(kCpu, "cpu.idle", *limits.cpu_idle ? "1" : "0", "cpu.idle");
  if (!limits.cpuset_cpus.empty()) list.Add(kCpuset, "cpuset.cpus", limits.cpuset_cpus, "cpu.cpus");
  if (!limits.cpuset_mems.empty()) list.Add(kCpuset, "cpuset.mems", limits.cpuset_mems, "cpu.mems");
  return {};
}

void AddWeight(SettingList& list, const std::string& device, uint16_t weight, const char* field) {
  Setting& setting = list.Add(kIo, "io.bfq.weight", device + std::to_string(weight), field);
  setting.other_file = "io.weight";
  setting.other_value = device + std::to_string(IoWeight(weight));
}

Result<void> AddBlockIo(const oci::BlockIoResources& block, SettingList& list) {
  if (block.leaf_weight.value_or(0) != 0)
    return NotInVersion("blockIO.leafWeight", "a group with processes has no children to compete with");
  if (block.weight.value_or(0) != 0) AddWeight(list, "", *block.weight, "blockIO.weight");
  for (const oci::WeightDevice& device : block.weight_device) {
    if (device.leaf_weight.value_or(0) != 0) return NotInVersion("blockIO.weightDevice", "it has no leafWeight");
    if (device.weight.value_or(0) != 0) {
      AddWeight(list, DeviceNumber(device.major, device.minor) + " ", *device.weight, "blockIO.weightDevice");
    }
  }
  auto throttle = [&](const std::vector<oci::ThrottleDevice>& devices, const char* key, const char* field) {
    for (const oci::ThrottleDevice& device : devices) {
      std::string rate = device.rate == 0 ? "max" : std::to_string(device.rate);
      list.Add(kIo, "io.max", DeviceNumber(device.major, device.minor) + " " + key + "=" + rate, field);
    }
  };
  throttle(block.throttle_read_bps_device, "rbps", "blockIO.throttleReadBpsDevice");
  throttle(block.throttle_write_bps_device, "wbps", "blockIO.throttleWriteBpsDevice");
  throttle(block.throttle_read_iops_device, "riops", "blockIO.throttleReadIOPSDevice");
  throttle(block.throttle_write_iops_device, "wiops", "blockIO.throttleWriteIOPSDevice");
  return {};
}

// Files of a controller, and those of the core that limit how many groups may be made below; never cgroup.procs,
// cgroup.subtree_control and their kin, which are ours.
Result<void> AddUnified(const Limits& limits, SettingList& list) {
  for (const auto& [file, value] : limits.unified) {
    bool plain =
        file.find('/') == std::string::npos && file.find('.') != std::string::npos && !file.starts_with("cgroup.");
    Controllers controller = plain ? ParseControllers(file.substr(0, file.find('.'))) : 0;
    if (controller == 0 && file != "cgroup.max.depth" && file != "cgroup.max.descendants") {
      return Error(Code::kInvalid,
                   "linux.resources.unified: '" + file + "' is no file of a controller (" +
                       ControllerNames(kMemory | kPids | kCpu | kCpuset | kHugetlb | kIo | kRdma | kMisc) + ")");
    }
    list.Add(controller, file, value, "unified");
  }
  return {};
}

}  // namespace

Result<std::vector<Setting>> SettingsV2(const Limits& limits, Purpose purpose) {
  if (limits.network.class_id) return NotInVersion("network.classID", "packets are classed by BPF programs there");
  if (!limits.network.priorities.empty())
    return NotInVersion("network.priorities", "packets are classed by BPF programs there");
  SettingList list;
  MXC_TRY(AddMemory(limits, purpose, list));
  if (limits.pids) list.Add(kPids, "pids.max", NumberOr(*limits.pids, "max"), "pids.limit");
  MXC_TRY(AddCpu(limits, list));
  MXC_TRY(AddBlockIo(limits.block_io, list));
  for (const auto& [size, bytes] : limits.hugepages) {
    list.Add(kHugetlb, "hugetlb." + size + ".max", NumberOr(bytes, "max"), "hugepageLimits");
    list.Add(kHugetlb, "hugetlb." + size + ".rsvd.max", NumberOr(bytes, "max"), "hugepageLimits").if_missing =
        IfMissing::kLeaveOut;
  }
  AddRdma(limits, list);
  MXC_TRY(AddUnified(limits, list));
  return std::move(list).Take();
}

}  // namespace mxc::cgroup
