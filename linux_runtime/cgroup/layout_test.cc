#include "linux_runtime/cgroup/layout.h"

#include <doctest/doctest.h>

using namespace mxc::cgroup;

TEST_CASE("controllers are read from any of the kernel's lists and written as v2 names them") {
  CHECK(ParseControllers("cpuset cpu io memory hugetlb pids rdma\n") ==
        (kCpuset | kCpu | kIo | kMemory | kHugetlb | kPids | kRdma));
  CHECK(ParseControllers("rw,cpu,cpuacct") == (kCpu | kCpuacct));
  CHECK(ParseControllers("rw,blkio") == kIo);
  CHECK(ParseControllers("rw,xattr,name=systemd") == 0);
  CHECK(ParseControllers("devices net_cls,net_prio rdma misc") == (kDevices | kNetCls | kNetPrio | kRdma | kMisc));
  CHECK(ControllerNames(kPids | kMemory) == "memory pids");
  CHECK(ControllerNames(kIo | kCpu, ',') == "cpu,io");
}

TEST_CASE("a hybrid host: the v1 controllers, each at the caller's own group") {
  Layout layout = ParseLayout(
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
      "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime shared:7 master:1 - cgroup cgroup rw,cpuacct\n"
      "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
      "9:name=systemd:/s\n8:pids:/\n4:memory:/agent/a3\n2:cpuacct:/\n1:cpu:/\n0::/\n");
  CHECK(layout.version == Version::kHybrid);
  CHECK(layout.v2_mount.empty());
  CHECK(layout.unreachable.empty());
  const std::string top = "/sys/fs/cgroup/";
  CHECK(layout.v1 == std::vector<OwnGroup>{{0, top + "systemd/s", "name=systemd", top + "systemd"},
                                           {kPids, top + "pids", "pids", top + "pids"},
                                           {kMemory, top + "memory/agent/a3", "memory", top + "memory"},
                                           {kCpuacct, top + "cpuacct", "cpuacct", top + "cpuacct"},
                                           {kCpu, top + "cpu", "cpu", top + "cpu"}});
}

TEST_CASE("a mount that shows a hierarchy from a group on: the root field is taken off") {
  const char* mounts =
      "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
      "33 31 0:30 /docker/abc /cg\\040roup/memory rw - cgroup cgroup rw,memory\n";
  Layout inside = ParseLayout(mounts, "3:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc/child\n");
  CHECK(inside.version == Version::kV1);
  CHECK(inside.v1 == std::vector<OwnGroup>{
                         {kCpu | kCpuacct, "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"},
                         {kMemory, "/cg roup/memory/child", "memory", "/cg roup/memory"}});

  // "/docker/abcdef" is a neighbour, not a child; "/../x" lies outside the cgroup namespace.
  Layout outside = ParseLayout(mounts, "3:cpu,cpuacct:/docker/abcdef\n2:memory:/../x\n");
  CHECK(outside.version == Version::kV1);
  CHECK(outside.v1.empty());
  CHECK(ParseControllers(outside.unreachable) == (kCpu | kCpuacct | kMemory));
}

TEST_CASE("v2 alone, also beside a v1 tree that limits nothing") {
  Layout layout = ParseLayout(
      "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
      "31 23 0:27 / /run/cg/net_cls rw - cgroup cgroup rw,net_cls\n",
      "1:net_cls:/\n0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n");
  CHECK(layout.version == Version::kV2);
  CHECK(layout.v2_mount == "/sys/fs/cgroup");
  CHECK(layout.v2_own == "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope");
  CHECK(layout.v1.empty());
}

TEST_CASE("v2 whose mount does not show the caller's group") {
  Layout layout = ParseLayout("30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n");
  CHECK(layout.version == Version::kV2);
  CHECK(layout.v2_own.empty());
  CHECK(layout.unreachable == "all");
}

TEST_CASE("no cgroups, and text that is not from proc") {
  CHECK(ParseLayout("", "").version == Version::kNone);
  CHECK(ParseLayout("22 27 0:21 / /proc rw - proc proc rw\n", "0::/\n").version == Version::kNone);
  CHECK(ParseLayout(" - cgroup\n - cgroup2\n\n:::\n", "::::\nx\n0\n:").v1.empty());
}
