// The files of cgroup v1: Documentation/admin-guide/cgroup-v1/ of the kernel.
#include "linux_runtime/cgroup/settings.h"

namespace mxc::cgroup {
namespace {

void AddMemory(const Limits& limits, Purpose purpose, SettingList& list) {
  if (limits.use_hierarchy) {
    list.Add(kMemory, "memory.use_hierarchy", "1", "memory.useHierarchy").if_missing = IfMissing::kLeaveOut;
  }
  // limit before memsw: memory and swap together may not be below memory alone.
  if (limits.memory_bytes)
    list.Add(kMemory, "memory.limit_in_bytes", NumberOr(*limits.memory_bytes, "-1"), "memory.limit");
  if (limits.memory_and_swap_bytes) {
    list.Add(kMemory, "memory.memsw.limit_in_bytes", NumberOr(*limits.memory_and_swap_bytes, "-1"), "memory.swap");
  } else if (limits.memory_bytes == kUnlimited && purpose == Purpose::kUpdate) {
    list.Add(kMemory, "memory.memsw.limit_in_bytes", "-1", "memory.limit").if_missing = IfMissing::kLeaveOut;
  }
  if (limits.reservation_bytes) {
    list.Add(kMemory, "memory.soft_limit_in_bytes", NumberOr(*limits.reservation_bytes, "-1"), "memory.reservation");
  }
  if (limits.kernel_bytes) {
    list.Add(kMemory, "memory.kmem.limit_in_bytes", NumberOr(*limits.kernel_bytes, "-1"), "memory.kernel").if_missing =
        IfMissing::kNote;
  }
  if (limits.kernel_tcp_bytes) {
    list.Add(kMemory, "memory.kmem.tcp.limit_in_bytes", NumberOr(*limits.kernel_tcp_bytes, "-1"), "memory.kernelTCP");
  }
  if (limits.swappiness)
    list.Add(kMemory, "memory.swappiness", std::to_string(*limits.swappiness), "memory.swappiness");
  if (limits.disable_oom_killer) {
    list.Add(kMemory, "memory.oom_control", *limits.disable_oom_killer ? "1" : "0", "memory.disableOOMKiller");
  }
}

void AddCpu(const Limits& limits, Purpose purpose, SettingList& list) {
  if (limits.cpu_shares) list.Add(kCpu, "cpu.shares", std::to_string(*limits.cpu_shares), "cpu.shares");
  if (limits.realtime_period_us) {
    list.Add(kCpu, "cpu.rt_period_us", std::to_string(*limits.realtime_period_us), "cpu.realtimePeriod");
  }
  if (limits.realtime_runtime_us) {
    list.Add(kCpu, "cpu.rt_runtime_us", std::to_string(*limits.realtime_runtime_us), "cpu.realtimeRuntime");
  }
  if (limits.cpu_period_us && (*limits.cpu_period_us != kDefaultPeriodUs || purpose == Purpose::kUpdate)) {
    list.Add(kCpu, "cpu.cfs_period_us", std::to_string(*limits.cpu_period_us), "cpu.period");
  }
  if (limits.cpu_quota_us) list.Add(kCpu, "cpu.cfs_quota_us", NumberOr(*limits.cpu_quota_us, "-1"), "cpu.quota");
  if (limits.cpu_burst_us) list.Add(kCpu, "cpu.cfs_burst_us", std::to_string(*limits.cpu_burst_us), "cpu.burst");
  if (limits.cpu_idle) list.Add(kCpu, "cpu.idle", *limits.cpu_idle ? "1" : "0", "cpu.idle");
  if (!limits.cpuset_cpus.empty()) list.Add(kCpuset, "cpuset.cpus", limits.cpuset_cpus, "cpu.cpus");
  if (!limits.cpuset_mems.empty()) list.Add(kCpuset, "cpuset.mems", limits.cpuset_mems, "cpu.mems");
}

// BFQ has its own names for weights since CFQ is gone (Linux 5.0).
void AddWeight(SettingList& list, const std::string& device, uint16_t weight, const char* field) {
  std::string value = device + std::to_string(weight), suffix = device.empty() ? "" : "_device";
  Setting& setting = list.Add(kIo, "blkio.bfq.weight" + suffix, value, field);
  setting.other_file = "blkio.weight" + suffix;
  setting.other_value = value;
}

void AddBlockIo(const oci::BlockIoResources& block, SettingList& list) {
  if (block.weight.value_or(0) != 0) AddWeight(list, "", *block.weight, "blockIO.weight");
  if (block.leaf_weight.value_or(0) != 0) {
    list.Add(kIo, "blkio.leaf_weight", std::to_string(*block.leaf_weight), "blockIO.leafWeight");
  }
  for (const oci::WeightDevice& device : block.weight_device) {
    std::string number = DeviceNumber(device.major, device.minor) + " ";
    if (device.weight.value_or(0) != 0) AddWeight(list, number, *device.weight, "blockIO.weightDevice");
    if (device.leaf_weight.value_or(0) != 0) {
      list.Add(kIo, "blkio.leaf_weight_device", number + std::to_string(*device.leaf_weight), "blockIO.weightDevice");
    }
  }
  auto throttle = [&](const std::vector<oci::ThrottleDevice>& devices, const char* file, const char* field) {
    for (const oci::ThrottleDevice& device : devices) {
      list.Add(kIo, file, DeviceNumber(device.major, device.minor) + " " + std::to_string(device.rate), field);
    }
  };
  throttle(block.throttle_read_bps_device, "blkio.throttle.read_bps_device", "blockIO.throttleReadBpsDevice");
  throttle(block.throttle_write_bps_device, "blkio.throttle.write_bps_device", "blockIO.throttleWriteBpsDevice");
  throttle(block.throttle_read_iops_device, "blkio.throttle.read_iops_device", "blockIO.throttleReadIOPSDevice");
  throttle(block.throttle_write_iops_device, "blkio.throttle.write_iops_device", "blockIO.throttleWriteIOPSDevice");
}

}  // namespace

Result<std::vector<Setting>> SettingsV1(const Limits& limits, Purpose purpose) {
  if (!limits.unified.empty()) {
    return Error(Code::kUnsupported,
                 "linux.resources.unified: this host's controllers are cgroup v1, which has no such files")
        .WithHint("use memory, cpu and pids instead, or boot with cgroup v2");
  }
  SettingList list;
  AddMemory(limits, purpose, list);
  if (limits.pids) list.Add(kPids, "pids.max", NumberOr(*limits.pids, "max"), "pids.limit");
  AddCpu(limits, purpose, list);
  AddBlockIo(limits.block_io, list);
  for (const auto& [size, bytes] : limits.hugepages) {
    list.Add(kHugetlb, "hugetlb." + size + ".limit_in_bytes", NumberOr(bytes, "-1"), "hugepageLimits");
    list.Add(kHugetlb, "hugetlb." + size + ".rsvd.limit_in_bytes", NumberOr(bytes, "-1"), "hugepageLimits").if_missing =
        IfMissing::kLeaveOut;
  }
  if (limits.network.class_id) {
    list.Add(kNetCls, "net_cls.classid", std::to_string(*limits.network.class_id), "network.classID");
  }
  for (const oci::InterfacePriority& priority : limits.network.priorities) {
    list.Add(kNetPrio, "net_prio.ifpriomap", priority.name + " " + std::to_string(priority.priority),
             "network.priorities");
  }
  AddRdma(limits, list);
  return std::move(list).Take();
}

}  // namespace mxc::cgroup
