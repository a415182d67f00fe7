// Which files of a group hold which part of Stats. A file that isn't there counts nothing.
#include <dirent.h>
#include <unistd.h>

#include <limits>
#include <memory>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/stats.h"
#include "linux_runtime/cgroup/stats_text.h"

namespace mxc::cgroup {
namespace {

constexpr uint64_t kNanosecondsPerMicrosecond = 1000;

std::string Text(const Directory& group, const char* file) {
  auto text = group.ReadAll(file);
  return text ? std::move(*text) : std::string();
}

uint64_t Number(const Directory& group, const std::string& file) {
  auto number = group.ReadNumber(file.c_str());
  return number ? *number : 0;
}

uint64_t Key(const std::map<std::string, uint64_t>& values, const char* key) {
  auto found = values.find(key);
  return found == values.end() ? 0 : found->second;
}

// "2MB", "1GB": the sizes that this kernel has, as its cgroup files call them.
std::vector<std::string> HugepageSizes() {
  std::vector<std::string> sizes;
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/sys/kernel/mm/hugepages"), ::closedir);
  while (dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    // hugepages-2048kB
    std::string_view name = entry->d_name;
    if (!name.starts_with("hugepages-") || !name.ends_with("kB")) continue;
    auto numbers = ParseNumbers(name.substr(10, name.size() - 12));
    if (numbers.size() != 1) continue;
    uint64_t size = numbers[0];
    const char* unit = "KB";
    if (size >= 1 << 10) size >>= 10, unit = "MB";
    if (size >= 1 << 10 && *unit == 'M') size >>= 10, unit = "GB";
    sizes.push_back(std::to_string(size) + unit);
  }
  return sizes;
}

// ---- v1 ----

void ReadCpuV1(const Group& group, Stats& stats) {
  if (const Directory* cpu = group.In(kCpu)) {
    auto values = ParseFlat(Text(*cpu, "cpu.stat"));
    stats.periods = Key(values, "nr_periods");
    stats.throttled_periods = Key(values, "nr_throttled");
    stats.throttled_ns = Key(values, "throttled_time");
  }
  if (const Directory* accounting = group.In(kCpuacct)) {
    stats.cpu_total = Number(*accounting, "cpuacct.usage");
    stats.cpu_each = ParseNumbers(Text(*accounting, "cpuacct.usage_percpu"));
    ParseUsageAll(Text(*accounting, "cpuacct.usage_all"), stats);
    // In ticks of USER_HZ, cgroup-v1/cpuacct.rst.
    auto values = ParseFlat(Text(*accounting, "cpuacct.stat"));
    auto per_second = static_cast<uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L));
    stats.cpu_user = Key(values, "user") * (1'000'000'000 / per_second);
    stats.cpu_kernel = Key(values, "system") * (1'000'000'000 / per_second);
  }
}

void ReadCpuset(const Directory& cpuset, Stats& stats) {
  stats.cpus = ParseRanges(Text(cpuset, "cpuset.cpus"));
  stats.mems = ParseRanges(Text(cpuset, "cpuset.mems"));
  stats.cpu_exclusive = Number(cpuset, "cpuset.cpu_exclusive");
  stats.mem_exclusive = Number(cpuset, "cpuset.mem_exclusive");
  stats.mem_hardwall = Number(cpuset, "cpuset.mem_hardwall");
  stats.memory_migrate = Number(cpuset, "cpuset.memory_migrate");
  stats.memory_spread_page = Number(cpuset, "cpuset.memory_spread_page");
  stats.memory_spread_slab = Number(cpuset, "cpuset.memory_spread_slab");
  stats.memory_pressure = Number(cpuset, "cpuset.memory_pressure");
  stats.sched_load_balance = Number(cpuset, "cpuset.sched_load_balance");
  std::string level = Text(cpuset, "cpuset.sched_relax_domain_level");
  if (!level.empty()) stats.sched_relax_domain_level = std::strtoll(level.c_str(), nullptr, 10);
}

MemoryCount ReadMemoryV1(const Directory& memory, const std::string& prefix) {
  return {Number(memory, prefix + "usage_in_bytes"), Number(memory, prefix + "max_usage_in_bytes"),
          Number(memory, prefix + "failcnt"), Number(memory, prefix + "limit_in_bytes")};
}

// BFQ and CFQ count what they scheduled; without them the throttling layer counts what passed.
void ReadBlkio(const Directory& io, Stats& stats) {
  const char* prefix = nullptr;
  for (const char* one : {"blkio.bfq.", "blkio."}) {
    if (ParseBlkio(Text(io, (std::string(one) + "io_serviced_recursive").c_str())).empty()) continue;
    prefix = one;
    break;
  }
  auto read = [&](const std::string& file) { return ParseBlkio(Text(io, file.c_str())); };
  if (prefix == nullptr) {
    stats.io_service_bytes = read("blkio.throttle.io_service_bytes_recursive");
    stats.io_serviced = read("blkio.throttle.io_serviced_recursive");
    return;
  }
  std::string start = prefix;
  stats.io_service_bytes = read(start + "io_service_bytes_recursive");
  stats.io_serviced = read(start + "io_serviced_recursive");
  stats.io_queued = read(start + "io_queued_recursive");
  stats.io_service_time = read(start + "io_service_time_recursive");
  stats.io_wait_time = read(start + "io_wait_time_recursive");
  stats.io_merged = read(start + "io_merged_recursive");
  stats.io_time = read(start + "time_recursive");
  stats.sectors = read(start + "sectors_recursive");
}

void ReadV1(const Group& group, Stats& stats) {
  ReadCpuV1(group, stats);
  if (const Directory* cpuset = group.In(kCpuset)) ReadCpuset(*cpuset, stats);
  if (const Directory* memory = group.In(kMemory)) {
    stats.memory_raw = ParseFlat(Text(*memory, "memory.stat"));
    stats.memory_cache = Key(stats.memory_raw, "cache");
    stats.memory = ReadMemoryV1(*memory, "memory.");
    stats.swap = ReadMemoryV1(*memory, "memory.memsw.");
    stats.kernel = ReadMemoryV1(*memory, "memory.kmem.");
    stats.kernel_tcp = ReadMemoryV1(*memory, "memory.kmem.tcp.");
  }
  if (const Directory* io = group.In(kIo)) ReadBlkio(*io, stats);
  if (const Directory* huge = group.In(kHugetlb)) {
    for (const std::string& size : HugepageSizes()) {
      std::string prefix = "hugetlb." + size + ".";
      stats.hugepages[size] = {Number(*huge, prefix + "usage_in_bytes"), Number(*huge, prefix + "max_usage_in_bytes"),
                               Number(*huge, prefix + "failcnt")};
    }
  }
}

// ---- v2 ----

void ReadMemoryV2(const Directory& group, Stats& stats) {
  stats.memory_raw = ParseFlat(Text(group, "memory.stat"));
  stats.memory_cache = Key(stats.memory_raw, "file");
  stats.memory.usage = Number(group, "memory.current");
  stats.memory.max = Number(group, "memory.peak");
  stats.memory.limit = Number(group, "memory.max");
  stats.memory.failcnt = Key(ParseFlat(Text(group, "memory.events")), "max");
  // Together with memory, as v1's memsw counts it and readers of these numbers expect.
  uint64_t limit = Number(group, "memory.swap.max");
  stats.swap.usage = Number(group, "memory.swap.current") + stats.memory.usage;
  bool open = limit == UINT64_MAX || stats.memory.limit == UINT64_MAX;
  stats.swap.limit = open ? UINT64_MAX : limit + stats.memory.limit;
}

void ReadV2(const Directory& group, Stats& stats) {
  auto cpu = ParseFlat(Text(group, "cpu.stat"));
  stats.cpu_total = Key(cpu, "usage_usec") * kNanosecondsPerMicrosecond;
  stats.cpu_user = Key(cpu, "user_usec") * kNanosecondsPerMicrosecond;
  stats.cpu_kernel = Key(cpu, "system_usec") * kNanosecondsPerMicrosecond;
  stats.periods = Key(cpu, "nr_periods");
  stats.throttled_periods = Key(cpu, "nr_throttled");
  stats.throttled_ns = Key(cpu, "throttled_usec") * kNanosecondsPerMicrosecond;
  if (group.Has("cpuset.cpus")) {
    stats.cpus = ParseRanges(Text(group, "cpuset.cpus"));
    stats.mems = ParseRanges(Text(group, "cpuset.mems"));
  }
  if (group.Has("memory.stat")) ReadMemoryV2(group, stats);
  ParseIoStat(Text(group, "io.stat"), stats);
  for (const std::string& size : HugepageSizes()) {
    std::string prefix = "hugetlb." + size + ".";
    if (!group.Has((prefix + "current").c_str())) continue;
    auto events = ParseFlat(Text(group, (prefix + "events").c_str()));
    stats.hugepages[size] = {Number(group, prefix + "current"), 0, Key(events, "max")};
  }
}

}  // namespace

Stats ReadStats(const Group& group) {
  Stats stats;
  if (group.none()) return stats;
  if (group.v2()) {
    ReadV2(*group.In(kMemory), stats);
  } else {
    ReadV1(group, stats);
  }
  if (const Directory* pids = group.In(kPids)) {
    stats.pids = Number(*pids, "pids.current");
    uint64_t limit = Number(*pids, "pids.max");
    stats.pids_limit = limit == UINT64_MAX ? 0 : limit;
  }
  if (const Directory* rdma = group.In(kRdma)) {
    stats.rdma_current = ParseRdma(Text(*rdma, "rdma.current"));
    stats.rdma_limit = ParseRdma(Text(*rdma, "rdma.max"));
  }
  return stats;
}

}  // namespace mxc::cgroup
