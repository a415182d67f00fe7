// Groups over a plain folder in place of a cgroup file system: which files get which text. What the kernel does with
// them is tested by live_test.cc.
#include "linux_runtime/cgroup/group.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "linux_runtime/cgroup/sweep.h"
#include "linux_runtime/cgroup/test_tree.h"

namespace fs = std::filesystem;
using namespace mxc;
using namespace mxc::cgroup;

namespace {

Hierarchy V1(const Tree& tree) {
  tree.Folder("memory/own");
  tree.Folder("pids");
  tree.Folder("cpu");
  Layout layout;
  layout.version = Version::kHybrid;
  layout.v1 = {{kPids, tree.Path("pids")}, {kMemory, tree.Path("memory/own")}, {kCpu, tree.Path("cpu")}};
  return Hierarchy::From(layout, 0, O_CREAT);
}

// user@1000.service hands on memory and pids to app.slice and holds no process itself.
Hierarchy V2(const Tree& tree, const std::string& own, uid_t euid, const std::string& processes = "") {
  for (const char* path : {"", "user.slice/", "user.slice/user@1000.service/"}) {
    tree.Put(std::string(path) + "cgroup.controllers", "cpu memory pids\n");
    tree.Put(std::string(path) + "cgroup.subtree_control", "memory pids\n");
    tree.Put(std::string(path) + "cgroup.procs", processes);
    if (*path != '\0') tree.Put(std::string(path) + "cgroup.type", "domain\n");
  }
  tree.Folder(own);
  Layout layout;
  layout.version = Version::kV2;
  layout.v2_mount = tree.Path("");
  layout.v2_mount.pop_back();
  layout.v2_own = own.empty() ? layout.v2_mount : tree.Path(own);
  return Hierarchy::From(layout, euid, O_CREAT);
}

}  // namespace

TEST_CASE("v1: one folder in each controller that is wanted, below the caller's own, with the limits in it") {
  Tree tree;
  Hierarchy hierarchy = V1(tree);
  CHECK(hierarchy.available() == (kMemory | kPids | kCpu));
  CHECK(hierarchy.why_not().empty());
  Limits limits;
  limits.memory_bytes = limits.memory_and_swap_bytes = 1 << 20;
  limits.pids = 7;
  auto group = Create(hierarchy, "mxc-a", limits);
  REQUIRE(group.ok());
  CHECK(tree.Get("memory/own/mxc-a/memory.limit_in_bytes") == "1048576");
  CHECK(tree.Get("memory/own/mxc-a/memory.memsw.limit_in_bytes") == "1048576");
  CHECK(tree.Get("pids/mxc-a/pids.max") == "7");
  CHECK_FALSE(fs::exists(tree.Path("cpu/mxc-a")));
  CHECK(group->JoinFds().size() == 2);
  CHECK(group->CloneFd() == -1);
  for (int fd : group->JoinFds()) CHECK(::write(fd, "0", 1) == 1);
  CHECK(tree.Get("pids/mxc-a/tasks") == "0");

  tree.Put("pids/mxc-a/pids.events", "max 3\n");
  tree.Put("memory/own/mxc-a/memory.max_usage_in_bytes", "4096\n");
  tree.Put("memory/own/mxc-a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  auto usage = group->ReadUsage();
  REQUIRE(usage.ok());
  CHECK(usage->pids_refused == 3u);
  CHECK(usage->memory_peak_bytes == 4096u);
  CHECK(usage->oom_kills == 2u);
  CHECK_FALSE(usage->cpu_us);

  auto again = Group::Open(group->Paths());
  REQUIRE(again.ok());
  CHECK(again->Paths() == group->Paths());

  CHECK(group->Destroy(std::chrono::milliseconds(1)).error().system_errno() == ENOTEMPTY);
  tree.Empty("pids/mxc-a");
  tree.Empty("memory/own/mxc-a");
  CHECK(again->Destroy().ok());
  CHECK_FALSE(fs::exists(tree.Path("pids/mxc-a")));
  CHECK_FALSE(fs::exists(tree.Path("memory/own/mxc-a")));
}

TEST_CASE("a missing controller is an error that names the limit, and nothing is made") {
  Tree tree;
  Hierarchy hierarchy = V1(tree);
  Limits limits;
  limits.pids = 7;
  limits.cpuset_cpus = "0";
  auto group = Create(hierarchy, "mxc-a", limits);
  REQUIRE_FALSE(group.ok());
  CHECK(group.error().code() == Code::kUnsupported);
  CHECK(group.error().message().starts_with("linux.resources.cpu.cpus: the cgroup controller cpuset is not available"));
  CHECK_FALSE(fs::exists(tree.Path("pids/mxc-a")));
  CHECK_FALSE(Create(hierarchy, "mxc-a", {}, {.freezer = true}).ok());
}

TEST_CASE("a name that is taken or no name is refused") {
  Tree tree;
  Hierarchy hierarchy = V1(tree);
  Limits limits;
  limits.pids = 7;
  tree.Folder("pids/mxc-a");
  CHECK(Create(hierarchy, "mxc-a", limits).error().system_errno() == EEXIST);
  CHECK(fs::exists(tree.Path("pids/mxc-a")));
  for (const char* name : {"", ".", "..", "a/b", "../x", "a\nb"})
    CHECK(Create(hierarchy, name, limits).error().code() == Code::kInvalid);
}

TEST_CASE("a group that was joined by nobody goes with its owner; a released one stays") {
  Tree tree;
  Hierarchy hierarchy = V1(tree);
  Limits limits;
  limits.pids = 7;
  {
    auto group = Create(hierarchy, "mxc-a", limits);
    REQUIRE(group.ok());
    Group moved = std::move(*group);
    tree.Empty("pids/mxc-a");
  }
  CHECK_FALSE(fs::exists(tree.Path("pids/mxc-a")));
  {
    auto group = Create(hierarchy, "mxc-a", limits);
    REQUIRE(group.ok());
    group->Release();
    tree.Empty("pids/mxc-a");
  }
  CHECK(fs::exists(tree.Path("pids/mxc-a")));
}

TEST_CASE("sweeping removes the empty groups of dead sandboxes and no others") {
  Tree tree;
  Hierarchy hierarchy = V1(tree);
  tree.Folder("pids/mxc-dead/nested/deep");
  tree.Folder("memory/own/mxc-dead");
  tree.Folder("pids/mxc-live");
  tree.Folder("pids/other");
  tree.Put("cpu/mxc-busy/tasks", "1");  // stands for a group that the kernel does not let go
  CHECK(Sweep(hierarchy, "", [](const std::string&) { return false; }) == 0);
  CHECK(Sweep(hierarchy, "mxc-", [](const std::string& name) { return name == "mxc-live"; }) == 2);
  CHECK_FALSE(fs::exists(tree.Path("pids/mxc-dead")));
  CHECK_FALSE(fs::exists(tree.Path("memory/own/mxc-dead")));
  CHECK(fs::exists(tree.Path("pids/mxc-live")));
  CHECK(fs::exists(tree.Path("pids/other")));
  CHECK(fs::exists(tree.Path("cpu/mxc-busy")));
}

TEST_CASE("v2 rootless: beside the caller's scope, under the service that may be written") {
  Tree tree;
  Hierarchy hierarchy = V2(tree, "user.slice/user@1000.service/a.scope", 1000);
  CHECK(hierarchy.v2_parent() == tree.Path("user.slice/user@1000.service"));
  CHECK(hierarchy.v2_make().empty());
  CHECK(hierarchy.available() == (kMemory | kPids | kCpu));  // cpu can still be handed on
  Limits limits;
  limits.pids = 7;
  limits.memory_bytes = 2000;
  auto group = Create(hierarchy, "mxc-a", limits);
  REQUIRE(group.ok());
  CHECK(tree.Get("user.slice/user@1000.service/mxc-a/pids.max") == "7");
  CHECK(tree.Get("user.slice/user@1000.service/mxc-a/memory.max") == "2000");
  CHECK(tree.Get("user.slice/user@1000.service/mxc-a/memory.high") == "1900");
  CHECK(tree.Get("user.slice/user@1000.service/mxc-a/memory.oom.group") == "1");
  CHECK(group->JoinFds().empty());
  CHECK(group->CloneFd() >= 0);
  CHECK(group->Paths() == std::vector{"unified,memory,pids=" + tree.Path("user.slice/user@1000.service/mxc-a")});
  group->Release();
}

TEST_CASE("v2: a parent that holds processes offers only what it hands on already") {
  Tree tree;
  Hierarchy hierarchy = V2(tree, "user.slice/user@1000.service/a.scope", 1000, "12\n");
  CHECK(hierarchy.available() == (kMemory | kPids));
  CHECK(hierarchy.why_not().find("does not hand on cpu") != std::string::npos);
  Limits limits;
  limits.cpu_quota_us = 100'000;
  CHECK(Create(hierarchy, "mxc-a", limits)
            .error()
            .message()
            .starts_with("linux.resources.cpu.quota: the cgroup controller cpu"));
}

TEST_CASE("v2 as root without systemd: a group of ours at the top, made once") {
  Tree tree;
  Hierarchy hierarchy = V2(tree, "", 0, "1\n2\n");
  CHECK(hierarchy.v2_make() == "mxc");
  CHECK(hierarchy.available() == (kMemory | kPids | kCpu));
  tree.Put("mxc/cgroup.subtree_control", "");
  Limits limits;
  limits.pids = 7;
  limits.cpu_quota_us = 50'000;
  auto group = Create(hierarchy, "mxc-a", limits);
  REQUIRE(group.ok());
  CHECK(tree.Get("mxc/mxc-a/pids.max") == "7");
  CHECK(tree.Get("mxc/mxc-a/cpu.max") == "50000");
  CHECK(tree.Get("cgroup.subtree_control").starts_with("+cpu"));
  group->Release();
}

TEST_CASE("nowhere to make a group: the reason says what to do") {
  Layout layout;
  CHECK(Hierarchy::From(layout, 0).why_not().find("no cgroup file system") == 0);
  layout.version = Version::kV2;
  layout.v2_mount = "/nowhere";
  layout.v2_own = "/nowhere/session.scope";
  Hierarchy hierarchy = Hierarchy::From(layout, 1000);
  CHECK_FALSE(hierarchy.delegated());
  CHECK(hierarchy.why_not().find("systemd") != std::string::npos);
  CHECK(Create(hierarchy, "mxc-a", {}).error().message().find("no delegation") != std::string::npos);
}
