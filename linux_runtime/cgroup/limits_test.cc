#include "linux_runtime/cgroup/limits.h"

#include <doctest/doctest.h>

using namespace mxc;
using namespace mxc::cgroup;

namespace {

// "file=value" of each setting, in order.
std::vector<std::string> Lines(const Limits& limits, Version version, Purpose purpose = Purpose::kSandbox) {
  std::vector<std::string> lines;
  auto settings = SettingsFor(limits, version, purpose);
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
  CHECK(Lines(*limits, Version::kHybrid) == Text{"memory.limit_in_bytes=1048576000",
                                                 "memory.memsw.limit_in_bytes=1572864000", "pids.max=64",
                                                 "cpu.cfs_quota_us=150000"});
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
      {"unlimited swap",
       [](auto& r) { r.memory.swap = -1; },
       {"memory.memsw.limit_in_bytes=-1"},
       {"memory.swap.max=max"}},
      {"reservation",
       [](auto& r) { r.memory.reservation = 4096; },
       {"memory.soft_limit_in_bytes=4096"},
       {"memory.low=4096"}},
      {"unlimited pids", [](auto& r) { r.pids.limit = 0; }, {"pids.max=max"}, {"pids.max=max"}},
      {"least shares", [](auto& r) { r.cpu.shares = 2; }, {"cpu.shares=2"}, {"cpu.weight=1"}},
      {"even shares", [](auto& r) { r.cpu.shares = 1024; }, {"cpu.shares=1024"}, {"cpu.weight=39"}},
      {"most shares", [](auto& r) { r.cpu.shares = 262144; }, {"cpu.shares=262144"}, {"cpu.weight=10000"}},
      {"shares of 0 are none", [](auto& r) { r.cpu.shares = 0; }, {}, {}},
      {"an unlimited quota", [](auto& r) { r.cpu.quota = -1; }, {"cpu.cfs_quota_us=-1"}, {"cpu.max=max"}},
      {"a quota of 0 is none", [](auto& r) { r.cpu.quota = 0; }, {}, {}},
      {"period",
       [](auto& r) { r.cpu.quota = 5000, r.cpu.period = 10'000; },
       {"cpu.cfs_period_us=10000", "cpu.cfs_quota_us=5000"},
       {"cpu.max=5000 10000"}},
      {"period alone", [](auto& r) { r.cpu.period = 10'000; }, {"cpu.cfs_period_us=10000"}, {"cpu.max=max 10000"}},
      {"burst", [](auto& r) { r.cpu.burst = 7; }, {"cpu.cfs_burst_us=7"}, {"cpu.max.burst=7"}},
      {"idle", [](auto& r) { r.cpu.idle = 1; }, {"cpu.idle=1"}, {"cpu.idle=1"}},
      {"cpuset",
       [](auto& r) { r.cpu.cpus = "0-1", r.cpu.mems = "0"; },
       {"cpuset.cpus=0-1", "cpuset.mems=0"},
       {"cpuset.cpus=0-1", "cpuset.mems=0"}},
      {"huge pages",
       [](auto& r) {
         r.hugepage_limits = {{"2MB", 4096}};
       },
       {"hugetlb.2MB.limit_in_bytes=4096", "hugetlb.2MB.rsvd.limit_in_bytes=4096"},
       {"hugetlb.2MB.max=4096", "hugetlb.2MB.rsvd.max=4096"}},
      {"memory of 0 is none", [](auto& r) { r.memory.limit = 0, r.memory.swap = 0; }, {}, {}},
      {"hierarchy", [](auto& r) { r.memory.use_hierarchy = true; }, {"memory.use_hierarchy=1"}, {}},
      {"kernel memory",
       [](auto& r) { r.memory.kernel = 4096; },
       {"memory.kmem.limit_in_bytes=4096"},
       {"memory.kmem.limit_in_bytes=4096"}},
      {"the OOM killer stays", [](auto& r) { r.memory.disable_oom_killer = false; }, {"memory.oom_control=0"}, {}},
      {"weight of block devices",
       [](auto& r) { r.block_io.weight = 10; },
       {"blkio.bfq.weight=10"},
       {"io.bfq.weight=10"}},
      {"weight of one",
       [](auto& r) {
         r.block_io.weight_device = {{8, 16, 1000, {}}};
       },
       {"blkio.bfq.weight_device=8:16 1000"},
       {"io.bfq.weight=8:16 1000"}},
      {"throttling",
       [](auto& r) {
         r.block_io.throttle_read_bps_device = {{8, 0, 1}};
         r.block_io.throttle_write_bps_device = {{8, 0, 2}};
         r.block_io.throttle_read_iops_device = {{8, 0, 3}};
         r.block_io.throttle_write_iops_device = {{8, 0, 0}};
       },
       {"blkio.throttle.read_bps_device=8:0 1", "blkio.throttle.write_bps_device=8:0 2",
        "blkio.throttle.read_iops_device=8:0 3", "blkio.throttle.write_iops_device=8:0 0"},
       {"io.max=8:0 rbps=1", "io.max=8:0 wbps=2", "io.max=8:0 riops=3", "io.max=8:0 wiops=max"}},
      {"RDMA",
       [](auto& r) {
         r.rdma = {{"mlx5_0", {3, {}}}, {"mlx5_1", {1, 2}}};
       },
       {"rdma.max=mlx5_0 hca_handle=3", "rdma.max=mlx5_1 hca_handle=1 hca_object=2"},
       {"rdma.max=mlx5_0 hca_handle=3", "rdma.max=mlx5_1 hca_handle=1 hca_object=2"}},
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

TEST_CASE("what only v1 can say is written there, and named as missing on v2") {
  struct Row {
    void (*change)(oci::Resources&);
    const char* v1;
    const char* field;
  };
  const Row rows[] = {
      {[](auto& r) { r.memory.kernel_tcp = 5; }, "memory.kmem.tcp.limit_in_bytes=5", "memory.kernelTCP"},
      {[](auto& r) { r.memory.swappiness = 0; }, "memory.swappiness=0", "memory.swappiness"},
      {[](auto& r) { r.memory.disable_oom_killer = true; }, "memory.oom_control=1", "memory.disableOOMKiller"},
      {[](auto& r) { r.cpu.realtime_runtime = 10; }, "cpu.rt_runtime_us=10", "cpu.realtimeRuntime"},
      {[](auto& r) { r.cpu.realtime_period = 20; }, "cpu.rt_period_us=20", "cpu.realtimePeriod"},
      {[](auto& r) { r.network.class_id = 0x100001; }, "net_cls.classid=1048577", "network.classID"},
      {[](auto& r) {
         r.network.priorities = {{"lo", 5}};
       },
       "net_prio.ifpriomap=lo 5", "network.priorities"},
      {[](auto& r) { r.block_io.leaf_weight = 10; }, "blkio.leaf_weight=10", "blockIO.leafWeight"},
      {[](auto& r) {
         r.block_io.weight_device = {{8, 0, {}, 20}};
       },
       "blkio.leaf_weight_device=8:0 20", "blockIO.weightDevice"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.field);
    oci::Resources resources;
    row.change(resources);
    auto limits = LimitsFrom(resources);
    REQUIRE(limits.ok());
    CHECK(Lines(*limits, Version::kHybrid) == Text{row.v1});
    auto v2 = SettingsFor(*limits, Version::kV2);
    REQUIRE_FALSE(v2.ok());
    CHECK(v2.error().message().starts_with(std::string("linux.resources.") + row.field + ": cgroup v2"));
  }
}

TEST_CASE("what contradicts itself or is no value is named") {
  struct Row {
    void (*change)(oci::Resources&);
    const char* expected;
  };
  const Row rows[] = {
      {[](auto& r) { r.memory.swap = 1; }, "linux.resources.memory.swap: it counts memory and swap together"},
      {[](auto& r) { r.memory.limit = -1, r.memory.swap = 5; }, "linux.resources.memory.swap: limited, while"},
      {[](auto& r) { r.memory.limit = 2, r.memory.swap = 1; },
       "linux.resources.memory.swap: 1 is below memory.limit, 2"},
      {[](auto& r) { r.block_io.weight = 9; }, "linux.resources.blockIO.weight: 9"},
      {[](auto& r) {
         r.block_io.weight_device = {{8, 0, 1001, {}}};
       },
       "linux.resources.blockIO.weightDevice: 1001"},
      {[](auto& r) {
         r.network.priorities = {{"a b", 1}};
       },
       "linux.resources.network.priorities: 'a b'"},
      {[](auto& r) { r.rdma["x\ny"] = {}; }, "linux.resources.rdma:"},
      {[](auto& r) {
         r.hugepage_limits = {{"../x", 1}};
       },
       "linux.resources.hugepageLimits:"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expected);
    oci::Resources resources;
    row.change(resources);
    auto limits = LimitsFrom(resources);
    auto settings = limits ? SettingsFor(*limits, Version::kV1) : Result<std::vector<Setting>>(limits.error());
    REQUIRE_FALSE(settings.ok());
    CHECK(settings.error().message().starts_with(row.expected));
  }
}

TEST_CASE("a weight is written for BFQ, or on io.weight's scale where the kernel has only that") {
  oci::Resources resources;
  resources.block_io.weight = 500;
  resources.block_io.weight_device = {{8, 0, 10, {}}, {8, 1, 1000, {}}};
  auto limits = LimitsFrom(resources);
  REQUIRE(limits.ok());
  auto v2 = SettingsFor(*limits, Version::kV2);
  REQUIRE(v2.ok());
  Text other;
  for (const Setting& setting : *v2) other.push_back(setting.other_file + "=" + setting.other_value);
  CHECK(other == Text{"io.weight=4950", "io.weight=8:0 1", "io.weight=8:1 10000"});
  auto v1 = SettingsFor(*limits, Version::kV1);
  REQUIRE(v1.ok());
  CHECK((*v1)[1].other_file == "blkio.weight_device");
}

TEST_CASE("a bundle's group has what its spec says and no more; an update writes defaults too") {
  auto limits = LimitsFrom(Typical());
  REQUIRE(limits.ok());
  CHECK(Lines(*limits, Version::kV2, Purpose::kBundle) ==
        Text{"memory.max=1048576000", "memory.swap.max=524288000", "pids.max=64", "cpu.max=150000 100000"});
  CHECK(Lines(*limits, Version::kV1, Purpose::kUpdate) == Text{"memory.limit_in_bytes=1048576000",
                                                               "memory.memsw.limit_in_bytes=1572864000", "pids.max=64",
                                                               "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=150000"});

  oci::Resources open;
  open.memory.limit = -1;
  auto unlimited = LimitsFrom(open);
  REQUIRE(unlimited.ok());
  CHECK(Lines(*unlimited, Version::kV1, Purpose::kUpdate) ==
        Text{"memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"});
  CHECK(Lines(*unlimited, Version::kV2, Purpose::kUpdate) == Text{"memory.max=max", "memory.swap.max=max"});

  oci::Resources swap;
  swap.memory.swap = 4096;
  auto both = LimitsFrom(swap);
  REQUIRE(both.ok());
  CHECK(Lines(*both, Version::kV1, Purpose::kUpdate) == Text{"memory.memsw.limit_in_bytes=4096"});
}

TEST_CASE("files of v2 by name: they win over what is derived, and only controllers' files are taken") {
  Limits limits;
  limits.memory_bytes = 100;
  limits.unified = {{"memory.high", "50"}};
  CHECK(Lines(limits, Version::kV2) == Text{"memory.max=100", "memory.oom.group=1", "memory.high=50"});
  CHECK_FALSE(SettingsFor(limits, Version::kV1).ok());
  limits.unified = {{"cgroup.max.depth", "3"}, {"rdma.max", "x"}};
  CHECK(SettingsFor(limits, Version::kV2).ok());
  for (const char* file : {"cgroup.procs", "cgroup.subtree_control", "cgroup.freeze", "../memory.max", "memory",
                           "nonsense.max", "memory.x/../../memory.max"}) {
    limits.unified = {{file, "1"}};
    CAPTURE(file);
    CHECK_FALSE(SettingsFor(limits, Version::kV2).ok());
  }
}
