#include "linux_runtime/cgroup/limits.h"

#include <doctest/doctest.h>

using namespace mxc;
using namespace mxc::cgroup;

namespace {

// "file=value" of each setting, in order.
std::vector<std::string> Lines(const Limits& limits, Version version) {
  std::vector<std::string> lines;
  auto settings = SettingsFor(limits, version);
  REQUIRE(settings.ok());
  for (const Setting& setting : *settings) lines.push_back(setting.file + "=" + setting.value);
  return lines;
}

using Text = std::vector<std::string>;

oci::Resources Typical() {
  oci::Resources resources;
  resources.memory.limit = 1000 << 20;
  resources.memory.swap = 1500 << 20;
  resources.cpu.quota = 150'000;
  resources.cpu.period = 100'000;
  resources.pids.limit = 64;
  return resources;
}

}  // namespace

TEST_CASE("memory, swap, cpu and pids of an OCI spec, in the files of each version") {
  auto limits = LimitsFrom(Typical());
  REQUIRE(limits.ok());
  CHECK(limits->swap_bytes == 500u << 20);
  CHECK(*limits->cpus == doctest::Approx(1.5));
  CHECK(Lines(*limits, Version::kHybrid) == Text{"memory.limit_in_bytes=1048576000", "memory.memsw.limit_in_bytes=1572864000",
                                                 "pids.max=64", "cpu.cfs_quota_us=150000"});
  CHECK(Lines(*limits, Version::kV2) == Text{"memory.max=1048576000", "memory.high=996147200", "memory.oom.group=1",
                                             "memory.swap.max=524288000", "pids.max=64", "cpu.max=150000 100000"});
}

TEST_CASE("each field changes what is written") {
  struct Row {
    const char* what;
    void (*change)(oci::Resources&);
    Text v1, v2;
  };
  const Row rows[] = {
      {"unlimited memory", [](auto& r) { r.memory.limit = -1; }, {"memory.limit_in_bytes=-1"}, {"memory.max=max"}},
      {"unlimited swap", [](auto& r) { r.memory.swap = -1; }, {"memory.memsw.limit_in_bytes=-1"}, {"memory.swap.max=max"}},
      {"reservation", [](auto& r) { r.memory.reservation = 4096; }, {"memory.soft_limit_in_bytes=4096"}, {"memory.low=4096"}},
      {"unlimited pids", [](auto& r) { r.pids.limit = 0; }, {"pids.max=max"}, {"pids.max=max"}},
      {"least shares", [](auto& r) { r.cpu.shares = 2; }, {"cpu.shares=2"}, {"cpu.weight=1"}},
      {"even shares", [](auto& r) { r.cpu.shares = 1024; }, {"cpu.shares=1024"}, {"cpu.weight=39"}},
      {"most shares", [](auto& r) { r.cpu.shares = 262144; }, {"cpu.shares=262144"}, {"cpu.weight=10000"}},
      {"shares of 0 are none", [](auto& r) { r.cpu.shares = 0; }, {}, {}},
      {"an unlimited quota is none", [](auto& r) { r.cpu.quota = -1; }, {}, {}},
      {"period", [](auto& r) { r.cpu.quota = 5000, r.cpu.period = 10'000; },
       {"cpu.cfs_period_us=10000", "cpu.cfs_quota_us=5000"}, {"cpu.max=5000 10000"}},
      {"burst", [](auto& r) { r.cpu.burst = 7; }, {"cpu.cfs_burst_us=7"}, {"cpu.max.burst=7"}},
      {"idle", [](auto& r) { r.cpu.idle = 1; }, {"cpu.idle=1"}, {"cpu.idle=1"}},
      {"cpuset", [](auto& r) { r.cpu.cpus = "0-1", r.cpu.mems = "0"; }, {"cpuset.cpus=0-1", "cpuset.mems=0"},
       {"cpuset.cpus=0-1", "cpuset.mems=0"}},
      {"huge pages", [](auto& r) { r.hugepage_limits = {{"2MB", 4096}}; }, {"hugetlb.2MB.limit_in_bytes=4096"},
       {"hugetlb.2MB.max=4096"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    oci::Resources resources;
    row.change(resources);
    auto limits = LimitsFrom(resources);
    REQUIRE(limits.ok());
    CHECK(Lines(*limits, Version::kV1) == row.v1);
    CHECK(Lines(*limits, Version::kV2) == row.v2);
  }
}

TEST_CASE("what can't be enforced or contradicts itself is named") {
  struct Row {
    void (*change)(oci::Resources&);
    const char* expected;
  };
  const Row rows[] = {
      {[](auto& r) { r.memory.kernel = 1; }, "linux.resources.memory.kernel:"},
      {[](auto& r) { r.memory.limit = 0; }, "linux.resources.memory.limit:"},
      {[](auto& r) { r.memory.swap = 1; }, "linux.resources.memory.swap: it counts memory and swap together"},
      {[](auto& r) { r.memory.limit = 2, r.memory.swap = 1; }, "linux.resources.memory.swap: 1 is below memory.limit, 2"},
      {[](auto& r) { r.block_io.weight = 10; }, "linux.resources.blockIO:"},
      {[](auto& r) { r.network.class_id = 10; }, "linux.resources.network:"},
      {[](auto& r) { r.rdma["mlx"] = {}; }, "linux.resources.rdma:"},
      {[](auto& r) { r.cpu.realtime_runtime = 10; }, "linux.resources.cpu.realtimeRuntime:"},
      {[](auto& r) { r.hugepage_limits = {{"../x", 1}}; }, "linux.resources.hugepageLimits:"},
  };
  for (const Row& row : rows) {
    oci::Resources resources;
    row.change(resources);
    auto limits = LimitsFrom(resources);
    REQUIRE_FALSE(limits.ok());
    CHECK(limits.error().message().starts_with(row.expected));
  }
}

TEST_CASE("files of v2 by name: they win over what is derived, and only controllers' files are taken") {
  Limits limits;
  limits.memory_bytes = 100;
  limits.unified = {{"memory.high", "50"}};
  CHECK(Lines(limits, Version::kV2) == Text{"memory.max=100", "memory.oom.group=1", "memory.high=50"});
  CHECK_FALSE(SettingsFor(limits, Version::kV1).ok());
  for (const char* file : {"cgroup.procs", "../memory.max", "memory", "nonsense.max", "memory.x/../../memory.max"}) {
    limits.unified = {{file, "1"}};
    CAPTURE(file);
    CHECK_FALSE(SettingsFor(limits, Version::kV2).ok());
  }
}

TEST_CASE("a hundredth of a processor takes a longer period, not a larger share") {
  Limits limits;
  limits.cpus = 0.005;
  CHECK(Lines(limits, Version::kV2) == Text{"cpu.max=5000 1000000"});
  CHECK(Lines(limits, Version::kV1) == Text{"cpu.cfs_period_us=1000000", "cpu.cfs_quota_us=5000"});
  limits.cpus = 0;
  CHECK_FALSE(SettingsFor(limits, Version::kV2).ok());
}
