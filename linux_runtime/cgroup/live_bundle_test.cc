// Bundles' groups on the kernel's own cgroups, from create to delete: v1 and hybrid as root here; tests/lab/cgroup_v2.sh runs
// it on v2 as root and as users with and without a delegated group.
#include "linux_runtime/cgroup/live_bundle.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "linux_runtime/cgroup/proc.h"

using namespace mxc;
using namespace mxc::cgroup;
namespace fs = std::filesystem;

TEST_CASE("absolute, relative and absent paths lie where runc puts them, in every hierarchy") {
  if (!Delegated() || !Root()) return;
  Hierarchy hierarchy = Hierarchy::Probe();
  bool v2 = hierarchy.version() == Version::kV2;
  std::string own = ReadProc("/proc/self/cgroup");
  std::string id = UniqueName("path");
  for (std::string path : {"/" + id + "/inner", id + "/inner", std::string()}) {
    CAPTURE(path);
    oci::Spec spec = Limited();
    spec.linux.cgroups_path = path;
    BundleGroup group = Made(spec, id);
    pid_t child = StartIn(group, [] { return ::pause(); });
    AwaitInside(group, child);
    std::string inside = ReadProc("/proc/" + std::to_string(child) + "/cgroup");
    if (v2) {
      std::string expected = path.empty() ? "/mxc/mxc." + id : "/" + id + "/inner";
      CHECK(OwnPathOnV2(inside) == expected);
    } else {
      for (const OwnGroup& one : hierarchy.layout().v1) {
        std::string base = path.starts_with('/') ? "" : OwnPathOnV1(own, one.list);
        if (base == "/") base = "";
        CHECK(OwnPathOnV1(inside, one.list) == base + (path.empty() ? "/mxc." + id : "/" + id + "/inner"));
      }
      CHECK(OwnPathOnV2(inside) == OwnPathOnV2(own));
    }
    auto paths = group.Paths();
    CHECK(group.Kill().ok());
    StatusOf(child);
    auto gone = group.Destroy();
    CHECK_MESSAGE(gone.ok(), gone.error().Describe());
    CHECK(Gone(paths));
    // The parents that a path names stay, as they do with runc; the test cleans up.
    if (!path.empty()) {
      for (const std::string& one : paths) {
        std::string folder = one.substr(one.find("=/") + 1);
        fs::remove(folder.substr(0, folder.rfind('/')));
      }
    }
  }
}

TEST_CASE("another process finds the group by its state: processes below it too, signals, killing, removal") {
  if (!Delegated()) return;
  BundleGroup made = Made(Limited(), UniqueName("state"));
  pid_t child = StartIn(made, [] { return ::pause(); });
  AwaitInside(made, child);
  bool v2 = Hierarchy::Probe().version() == Version::kV2;
  std::string top = Folder(made, "pids");
  // A group that the container made for itself, with a process in it.
  REQUIRE(fs::create_directory(top + "/below"));
  pid_t nested =
      v2 ? StartInside({}, ::open((top + "/below").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), [] { return ::pause(); })
         : StartInside({::open((top + "/below/tasks").c_str(), O_WRONLY | O_CLOEXEC)}, -1, [] { return ::pause(); });
  AwaitInside(made, nested);

  auto opened = BundleGroup::Open(made.State());
  REQUIRE_MESSAGE(opened.ok(), opened.error().Describe());
  auto pids = opened->Processes();
  REQUIRE(pids.ok());
  std::vector<pid_t> expected = {std::min(child, nested), std::max(child, nested)};
  CHECK(*pids == expected);
  auto busy = opened->Destroy(std::chrono::milliseconds(5));
  REQUIRE_FALSE(busy.ok());
  CHECK(busy.error().system_errno() == EBUSY);

  REQUIRE(opened->Signal(SIGUSR1).ok());
  CHECK(WTERMSIG(StatusOf(child)) == SIGUSR1);
  CHECK(WTERMSIG(StatusOf(nested)) == SIGUSR1);
  auto paths = opened->Paths();
  CHECK(opened->Destroy().ok());
  CHECK(Gone(paths));

  auto later = BundleGroup::Open(made.State());
  REQUIRE(later.ok());
  CHECK_FALSE(later->exists());
  CHECK(later->Destroy().ok());
}

TEST_CASE("exec enters the group, or one below it, and none outside") {
  if (!Delegated()) return;
  BundleGroup group = Made(Limited(), UniqueName("exec"));
  bool v2 = Hierarchy::Probe().version() == Version::kV2;
  for (const std::string& path : group.Paths()) fs::create_directory(path.substr(path.find("=/") + 1) + "/sub");
  // A cpuset takes no task before it has processors.
  if (!v2) {
    std::string cpuset = Folder(group, "cpuset");
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"})
      std::ofstream(cpuset + "/sub" + file) << Text(cpuset + file) << std::flush;
  }
  auto entrance = group.EnterForExec({"/sub"}, 0);
  REQUIRE_MESSAGE(entrance.ok(), entrance.error().Describe());
  std::vector<int> tasks;
  for (const sys::UniqueFd& fd : entrance->tasks) tasks.push_back(fd.get());
  pid_t child = StartInside(tasks, entrance->folder.get(), [] { return ::pause(); });
  AwaitInside(group, child);
  std::string inside = ReadProc("/proc/" + std::to_string(child) + "/cgroup");
  CHECK((v2 ? OwnPathOnV2(inside) : OwnPathOnV1(inside, "pids")).ends_with("/sub"));
  CHECK(group.Kill().ok());
  StatusOf(child);
  CHECK_FALSE(group.EnterForExec({"nowhere"}, 0).ok());
  CHECK_FALSE(group.EnterForExec({"../"}, 0).ok());
  CHECK_FALSE(group.EnterForExec({"sub/../../x"}, 0).ok());
  CHECK(group.EnterForExec({"pids:sub"}, 0).ok() == !v2);
  CHECK_FALSE(group.EnterForExec({"nonsense:sub"}, 0).ok());
  CHECK(group.Destroy().ok());
}

TEST_CASE("a group that holds processes or is frozen is no place for a new container") {
  if (!Delegated()) return;
  std::string id = UniqueName("used");
  BundleGroup first = Made(Limited(), id);
  pid_t child = StartIn(first, [] { return ::pause(); });
  AwaitInside(first, child);
  auto second = BundleGroup::Make(Limited(), Options(id));
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message().starts_with("container's cgroup is not empty: 1 process(es) found"));
  CHECK(first.Kill().ok());
  StatusOf(child);
  CHECK(first.Freeze(true).ok());
  auto third = BundleGroup::Make(Limited(), Options(id));
  REQUIRE_FALSE(third.ok());
  CHECK(third.error().message().starts_with("container's cgroup unexpectedly frozen"));
  CHECK(first.Freeze(false).ok());
  // Empty and thawed: taken over, and left by the one who didn't make it.
  { BundleGroup fourth = Made(Limited(), id); }
  CHECK(first.exists());
  CHECK_FALSE(Gone(first.Paths()));
  CHECK(first.Destroy().ok());
}

TEST_CASE("pausing stops all, is seen by others, and a paused container can be killed, however it froze itself") {
  if (!Delegated()) return;
  BundleGroup group = Made(Limited(), UniqueName("pause"));
  pid_t child = StartIn(group, [] { return ::pause(); });
  AwaitInside(group, child);
  REQUIRE(group.Freeze(true).ok());
  auto other = BundleGroup::Open(group.State());
  REQUIRE(other.ok());
  auto frozen = other->Frozen();
  REQUIRE(frozen.ok());
  CHECK(*frozen);
  CHECK(other->Freeze(false).ok());
  CHECK_FALSE(*group.Frozen());

  std::string freezer = Folder(group, "freezer");
  bool v2 = Hierarchy::Probe().version() == Version::kV2;
  fs::create_directory(freezer + "/own");
  std::ofstream(freezer + "/own/" + (v2 ? "cgroup.procs" : "tasks")) << child << std::flush;
  std::ofstream(freezer + "/own/" + (v2 ? "cgroup.freeze" : "freezer.state")) << (v2 ? "1" : "FROZEN") << std::flush;
  auto killed = other->Kill();
  CHECK_MESSAGE(killed.ok(), killed.error().Describe());
  CHECK(WTERMSIG(StatusOf(child)) == SIGKILL);
  CHECK(group.Destroy().ok());
}

TEST_CASE("groups nested deeper than a path can name are removed") {
  if (!Delegated()) return;
  BundleGroup group = Made(Limited(), UniqueName("deep"));
  auto paths = group.Paths();
  std::string top = Folder(group, "pids"), name(200, 'd');
  int at = ::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int depth = 0;
  for (; depth < 60 && ::mkdirat(at, name.c_str(), 0755) == 0; ++depth) {
    int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ::close(at);
    at = next;
  }
  ::close(at);
  CHECK(depth == 60);
  auto removed = group.Destroy();
  CHECK_MESSAGE(removed.ok(), removed.error().Describe());
  CHECK(Gone(paths));
}

TEST_CASE("without a delegated group: limits are refused by name, without limits there is none") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (Root() || hierarchy.delegated()) return;
  auto limited = BundleGroup::Make(Limited(), Options(UniqueName("none")));
  REQUIRE_FALSE(limited.ok());
  CHECK(limited.error().message().starts_with("linux.resources.memory.limit: there is no cgroup to limit it with"));
  auto group = BundleGroup::Make({}, Options(UniqueName("none")));
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  CHECK_FALSE(group->exists());
  auto entrance = group->Enter();
  REQUIRE(entrance.ok());
  CHECK(entrance->tasks.empty());
  CHECK_FALSE(entrance->folder.valid());
  CHECK(group->Destroy().ok());
  oci::Resources resources;
  resources.pids.limit = 5;
  CHECK(group->Update(resources).error().message().find("the container has no cgroup") != std::string::npos);
  CHECK_FALSE(group->Freeze(true).ok());
}

TEST_CASE("disabled: no group, and a note for each limit that is not enforced") {
  ManagerOptions options = Options(UniqueName("disabled"));
  options.kind = ManagerKind::kDisabled;
  auto group = BundleGroup::Make(Limited(), options);
  REQUIRE(group.ok());
  CHECK_FALSE(group->exists());
  CHECK(group->notes().size() == 3);
  auto opened = BundleGroup::Open(group->State());
  REQUIRE(opened.ok());
  CHECK(opened->disabled());
  CHECK(opened->Destroy().ok());
}

TEST_CASE("a v2 group that the container may manage belongs to its root, but not its limits") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!Delegated() || !Root() || hierarchy.version() != Version::kV2) return;
  oci::Spec spec = Limited();
  spec.process.emplace();
  spec.linux.namespaces = {{"user", ""}, {"cgroup", ""}};
  spec.linux.uid_mappings = {{0, 200'000, 1000}};
  spec.mounts = {{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "ro"}, {}, {}}};
  auto owners = [&] {
    BundleGroup group = Made(spec, UniqueName("owner"));
    std::string folder = Folder(group, "pids");
    std::string text;
    for (const char* file : {"", "/cgroup.procs", "/cgroup.subtree_control", "/pids.max"}) {
      struct stat found {};
      REQUIRE(::stat((folder + file).c_str(), &found) == 0);
      text += std::to_string(found.st_uid) + " ";
    }
    return text;
  };
  CHECK(owners() == "0 0 0 0 ");
  spec.mounts[0].options = {"nosuid"};
  CHECK(owners() == "200000 200000 200000 0 ");
  spec.process->user.uid = 5;
  CHECK(owners() == "200005 200005 200005 0 ");
}

TEST_CASE("what a bundle's start pays for its group") {
  if (!Delegated() || !Root()) return;
  constexpr int kRounds = 100;
  std::vector<double> make, destroy;
  auto microseconds = [](auto from) {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count();
  };
  for (int round = 0; round < kRounds; ++round) {
    auto at = std::chrono::steady_clock::now();
    BundleGroup group = Made(Limited(), UniqueName("bench"));
    make.push_back(microseconds(at));
    at = std::chrono::steady_clock::now();
    CHECK(group.Destroy().ok());
    destroy.push_back(microseconds(at));
  }
  auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
    return values[kRounds / 2];
  };
  std::printf("a bundle's group, medians of %d in us: make %.0f, destroy %.0f\n", kRounds, median(make),
              median(destroy));
}
