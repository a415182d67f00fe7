#include "linux_runtime/cgroup/place.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/mounts.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/cgroup/test_tree.h"

using namespace mxc;
using namespace mxc::cgroup;

namespace {

Layout HybridLayout(const std::string& top) {
  Layout layout;
  layout.version = Version::kHybrid;
  layout.v1 = {{kMemory, top + "memory/agent/a3", "memory", top + "memory"},
               {kCpu | kCpuacct, top + "cpu,cpuacct", "cpu,cpuacct", top + "cpu,cpuacct"},
               {0, top + "systemd/s", "name=systemd", top + "systemd"}};
  return layout;
}

Layout V2Layout(const std::string& own) {
  Layout layout;
  layout.version = Version::kV2;
  layout.v2_mount = "/nowhere";
  layout.v2_own = own;
  return layout;
}

std::vector<std::string> Lines(const Layout& layout, const std::string& path) {
  auto place = PlaceOf(Hierarchy::From(layout, 0), path, "c1");
  REQUIRE_MESSAGE(place.ok(), place.error().Describe());
  std::vector<std::string> lines;
  for (const Spot& spot : place->spots) lines.push_back(spot.top + " + " + spot.below);
  return lines;
}

using Text = std::vector<std::string>;

}  // namespace

TEST_CASE("v1: an absolute path counts from each mount point, a relative or absent one from the caller's own group") {
  Layout layout = HybridLayout("/nowhere/");
  CHECK(Lines(layout, "/pod//x/./c/") ==
        Text{"/nowhere/memory + pod/x/c", "/nowhere/cpu,cpuacct + pod/x/c", "/nowhere/systemd + pod/x/c"});
  CHECK(Lines(layout, "pod/c") ==
        Text{"/nowhere/memory/agent/a3 + pod/c", "/nowhere/cpu,cpuacct + pod/c", "/nowhere/systemd/s + pod/c"});
  CHECK(Lines(layout, "") ==
        Text{"/nowhere/memory/agent/a3 + mxc.c1", "/nowhere/cpu,cpuacct + mxc.c1", "/nowhere/systemd/s + mxc.c1"});
}

TEST_CASE("v2: a relative path lies beside the caller's own group, since a group with processes hands on nothing") {
  CHECK(Lines(V2Layout("/nowhere/user.slice/a.scope"), "/pod/c") == Text{"/nowhere + pod/c"});
  CHECK(Lines(V2Layout("/nowhere/user.slice/a.scope"), "pod/c") == Text{"/nowhere/user.slice + pod/c"});
  CHECK(Lines(V2Layout("/nowhere"), "pod/c") == Text{"/nowhere + pod/c"});
  // The mount shows another part of the tree: only an absolute path says where.
  CHECK(Lines(V2Layout(""), "/pod/c") == Text{"/nowhere + pod/c"});
  CHECK(Lines(V2Layout(""), "pod/c").empty());
}

TEST_CASE("paths that lead out, name the root, or are none are refused by name") {
  Hierarchy hierarchy = Hierarchy::From(HybridLayout("/nowhere/"), 0);
  for (std::string path : {std::string("/a/../b"), std::string(".."), std::string("/"), std::string("//./"),
                           std::string("."), std::string("a\nb"), "/" + std::string(256, 'x')}) {
    CAPTURE(path);
    auto place = PlaceOf(hierarchy, path, "c1");
    REQUIRE_FALSE(place.ok());
    CHECK(place.error().message().starts_with("linux.cgroupsPath: "));
  }
}

TEST_CASE("a group is made component by component, cpusets get their parent's processors on the way") {
  Tree tree;
  tree.Put("cpuset/cpuset.cpus", "0-3\n");
  tree.Put("cpuset/cpuset.mems", "0\n");
  tree.Put("cpuset/pod/cpuset.cpus", "1\n");
  tree.Folder("pids");
  Layout layout;
  layout.version = Version::kV1;
  layout.v1 = {{kCpuset, tree.Path("cpuset"), "cpuset", tree.Path("cpuset")},
               {kPids, tree.Path("pids"), "pids", tree.Path("pids")}};
  Hierarchy hierarchy = Hierarchy::From(layout, 0, O_CREAT);
  auto place = PlaceOf(hierarchy, "/pod/x/c1", "c1");
  REQUIRE(place.ok());
  auto group = CreateAt(hierarchy, *place, {});
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  CHECK(tree.Get("cpuset/pod/cpuset.cpus") == "1\n");
  CHECK(tree.Get("cpuset/pod/cpuset.mems") == "0");
  CHECK(tree.Get("cpuset/pod/x/c1/cpuset.cpus") == "1");
  CHECK(tree.Has("pids/pod/x/c1"));
  CHECK(group->Paths() == Text{"cpuset=" + tree.Path("cpuset/pod/x/c1"), "pids=" + tree.Path("pids/pod/x/c1")});
  CHECK(group->controllers() == (kCpuset | kPids));
  group->Release();
}

TEST_CASE("v2: each group on the way hands on what it has, and the new one has what arrives") {
  Tree tree;
  for (const char* folder : {"", "pod/", "pod/c1/"})
    tree.Put(std::string(folder) + "cgroup.controllers", "cpu pids rdma\n");
  tree.Put("pod/c1/cgroup.procs", "");
  tree.Put("pod/c1/cgroup.freeze", "0\n");
  tree.Put("cgroup.subtree_control", "cpu pids\n");
  tree.Put("pod/cgroup.subtree_control", "");
  Layout layout = V2Layout(tree.Path("own"));
  layout.v2_mount = tree.Path("");
  layout.v2_mount.pop_back();
  Hierarchy hierarchy = Hierarchy::From(layout, 0, O_CREAT);
  auto place = PlaceOf(hierarchy, "/pod/c1", "c1");
  REQUIRE(place.ok());
  {
    auto group = CreateAt(hierarchy, *place, {});
    REQUIRE_MESSAGE(group.ok(), group.error().Describe());
    CHECK(tree.Get("cgroup.subtree_control").starts_with("+rdma"));
    CHECK(tree.Get("pod/cgroup.subtree_control") == "+rdma");  // the last of three writes
    CHECK(group->controllers() == (kCpu | kPids | kRdma));
  }
  // It was there before, so that it isn't the new one's to remove.
  CHECK(tree.Has("pod/c1"));

  tree.Put("pod/c1/cgroup.procs", "12\n");
  CHECK(
      CreateAt(hierarchy, *place, {}).error().message().starts_with("container's cgroup is not empty: 1 process(es)"));
  CHECK(CreateAt(hierarchy, *place, {.in_use = true}).ok());
  tree.Put("pod/c1/cgroup.procs", "");
  tree.Put("pod/c1/cgroup.freeze", "1\n");
  CHECK(CreateAt(hierarchy, *place, {}).error().message().starts_with("container's cgroup unexpectedly frozen"));
}

TEST_CASE("a group is opened by its paths: named hierarchies too; what is gone is left out when asked") {
  Tree tree;
  tree.Folder("systemd/c1");
  std::string named = "name=systemd=" + tree.Path("systemd/c1"), gone = "pids=" + tree.Path("pids/c1");
  auto group = Group::Open({named});
  REQUIRE(group.ok());
  CHECK(group->Paths() == Text{named});
  CHECK(group->controllers() == 0);
  CHECK(Group::Open({named, gone}).error().system_errno() == ENOENT);
  auto some = Group::Open({named, gone}, true);
  REQUIRE(some.ok());
  CHECK(some->Paths() == Text{named});
  CHECK(Group::Open({gone}, true)->none());
  for (const char* text : {"", "pids", "pids=", "pids=x", "=/", "pids=/x"}) {
    CAPTURE(text);
    CHECK_FALSE(Group::Open({text}, true).ok());
  }
}

TEST_CASE(
    "the container's own view: a folder each hierarchy and links for those that share one; v2 is the group itself") {
  Layout layout = HybridLayout("/cg/");
  CgroupMounts mounts = MountsOf(layout, {"memory=/cg/memory/pod/c", "cpu,cpuacct=/cg/cpu,cpuacct/pod/c"});
  CHECK_FALSE(mounts.v2);
  CHECK(mounts.entries == std::vector<MountEntry>{{"memory", "/cg/memory/pod/c", "memory", false},
                                                  {"cpu,cpuacct", "/cg/cpu,cpuacct/pod/c", "cpu,cpuacct", false},
                                                  {"systemd", "/cg/systemd/s", "name=systemd", false},
                                                  {"cpu", "cpu,cpuacct", "", true},
                                                  {"cpuacct", "cpu,cpuacct", "", true}});
  CgroupMounts v2 = MountsOf(V2Layout("/cg/own"), {"unified,pids=/cg/pod/c"});
  CHECK(v2.v2);
  CHECK(v2.entries == std::vector<MountEntry>{{"", "/cg/pod/c", "", false}});
  CHECK(MountsOf(V2Layout("/cg/own"), {}).entries == std::vector<MountEntry>{{"", "/cg/own", "", false}});
  CHECK(MountsOf({}, {}).entries.empty());
}

TEST_CASE("where a process is, and whether ids are the host's, by the texts of /proc") {
  const char* cgroup = "9:name=systemd:/user/a:b\n4:cpu,cpuacct:/x\n1:memory:/../out\n0::/v2\n";
  CHECK(OwnPathOnV2(cgroup) == "/v2");
  CHECK(OwnPathOnV1(cgroup, "name=systemd") == "/user/a:b");
  CHECK(OwnPathOnV1(cgroup, "cpu,cpuacct") == "/x");
  CHECK(OwnPathOnV1(cgroup, "memory").empty());
  CHECK(OwnPathOnV1(cgroup, "cpu").empty());
  for (const char* text : {"", "\n\n", "0", "0:", "0::", "::", "0::x"}) CHECK(OwnPathOnV2(text).empty());

  CHECK_FALSE(IsUserNamespace("         0          0 4294967295\n"));
  for (const char* text : {"", "0 1000 1\n", "0 0 65536\n", "x"}) CHECK(IsUserNamespace(text));
}
