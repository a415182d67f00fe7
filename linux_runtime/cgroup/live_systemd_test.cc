// The systemd manager over the kernel's own cgroups, with a stand-in that moves the process as systemd would: no systemd
// runs here.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>

#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/cgroup/live_bundle.h"
#include "linux_runtime/cgroup/live_testing.h"
#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/cgroup/test_tree.h"

using namespace mxc;
using namespace mxc::cgroup;
namespace fs = std::filesystem;

namespace {

// The folder of systemd's own hierarchy; "" without one.
std::string SystemdMount(const Layout& layout) {
  if (layout.version == Version::kV2) return layout.v2_mount;
  for (const OwnGroup& own : layout.v1) {
    if (own.list == "name=systemd") return own.mount;
  }
  return "";
}

// Makes the scope below its slice and moves the process; fails a unit that exists until it is reset, as systemd does.
std::string StandIn(const std::string& mount, const std::string& log) {
  return R"(#!/bin/bash
echo "$8 $*" >>)" +
         log + R"(
[ "$8" = StartTransientUnit ] || { [ "$8" != ResetFailedUnit ] || rm -f )" +
         log + R"(.failed; exit 0; }
[ ! -e )" +
         log + R"(.failed ] || { echo "Unit ${10} already exists" >&2; exit 1; }
unit=${10}
while [ $# -gt 1 ]; do
  [ "$1" != Slice ] || slice=$3
  [ "$1" != PIDs ] || pid=$4
  shift
done
group=)" +
         mount + R"(/$slice/$unit
mkdir -p $group && echo $pid >$group/cgroup.procs
)";
}

}  // namespace

TEST_CASE("systemd makes the scope, the rest follows: limits, the other hierarchies, removal") {
  Hierarchy hierarchy = Hierarchy::Probe();
  std::string mount = SystemdMount(hierarchy.layout());
  if (::geteuid() != 0 || !hierarchy.delegated() || mount.empty()) {
    std::printf("left out: needs root and systemd's hierarchy\n");
    return;
  }
  Tree tree;
  tree.Put("busctl", StandIn(mount, tree.Path("log")));
  tree.Put("log.failed", "");  // a unit of this name failed earlier
  REQUIRE(::chmod(tree.Path("busctl").c_str(), 0700) == 0);
  std::string slice = "mxctest" + std::to_string(::getpid()) + ".slice";
  oci::Spec spec;
  spec.linux.cgroups_path = slice + ":mxctest:c1";
  spec.linux.resources.emplace();
  spec.linux.resources->pids.limit = 9;
  ManagerOptions options;
  options.kind = ManagerKind::kSystemd;
  options.id = "c1";
  options.busctl = tree.Path("busctl");
  if (hierarchy.version() == Version::kV2) {
    // systemd hands on what the properties ask for.
    for (const std::string& folder : {mount, mount + "/" + slice}) {
      fs::create_directory(folder);
      std::ofstream(folder + "/cgroup.subtree_control") << "+pids" << std::flush;
    }
  }
  auto group = BundleGroup::Make(spec, options);
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  REQUIRE(group->exists());
  auto holding = group->Processes();
  REQUIRE(holding.ok());
  CHECK(holding->size() == 1);
  pid_t child = StartIn(*group, [] { return ::pause(); });
  AwaitInside(*group, child);
  group->Release();
  CHECK(*group->Processes() == std::vector<pid_t>{child});
  CHECK(tree.Get("log").find("ResetFailedUnit") != std::string::npos);
  std::string text = ReadProc("/proc/" + std::to_string(child) + "/cgroup"),
              expected = "/" + slice + "/mxctest-c1.scope";
  if (hierarchy.version() == Version::kV2) {
    CHECK(OwnPathOnV2(text) == expected);
  } else {
    for (const OwnGroup& own : hierarchy.layout().v1) CHECK(OwnPathOnV1(text, own.list) == expected);
  }
  auto stats = group->ReadStats();
  REQUIRE(stats.ok());
  CHECK(stats->pids_limit == 9);

  auto opened = BundleGroup::Open(group->State(), tree.Path("busctl"));
  REQUIRE(opened.ok());
  oci::Resources more;
  more.pids.limit = 12;
  REQUIRE(opened->Update(more).ok());
  CHECK(group->ReadStats()->pids_limit == 12);
  CHECK(tree.Get("log").find("SetUnitProperties sba(sv) mxctest-c1.scope true 1 TasksMax t 12") != std::string::npos);
  CHECK(opened->Kill().ok());
  StatusOf(child);
  auto paths = opened->Paths();
  CHECK(opened->Destroy().ok());
  CHECK(tree.Get("log").find("StopUnit ss mxctest-c1.scope replace") != std::string::npos);
  for (const std::string& path : paths) {
    std::string folder = path.substr(path.find("=/") + 1);
    CHECK_FALSE(fs::exists(folder));
    fs::remove(folder.substr(0, folder.rfind('/')));
  }
}

TEST_CASE("a scope that systemd doesn't make is an error, and nothing is left") {
  if (::geteuid() != 0 || SystemdMount(Hierarchy::Probe().layout()).empty()) return;
  Tree tree;
  tree.Put("busctl", "#!/bin/sh\necho 'Access denied' >&2\nexit 1\n");
  REQUIRE(::chmod(tree.Path("busctl").c_str(), 0700) == 0);
  ManagerOptions options;
  options.kind = ManagerKind::kSystemd;
  options.id = "c1";
  options.busctl = tree.Path("busctl");
  auto group = BundleGroup::Make({}, options);
  REQUIRE_FALSE(group.ok());
  CHECK(group.error().message().ends_with("Access denied"));
}
