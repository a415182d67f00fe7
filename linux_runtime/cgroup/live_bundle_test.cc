// Bundles' groups on the kernel's own cgroups: v1 and hybrid as root here; tests/lab/cgroup_v2.sh runs it on v2 as root
// and as users with and without a delegated group.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/cgroup/live_testing.h"
#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/cgroup/proc.h"

using namespace mxc;
using namespace mxc::cgroup;
namespace fs = std::filesystem;

namespace {

bool Root() { return ::geteuid() == 0; }

ManagerOptions Options(const std::string& id) {
  ManagerOptions options;
  options.id = id;
  options.rootless = !Root();
  return options;
}

oci::Spec Limited() {
  oci::Spec spec;
  spec.linux.resources.emplace();
  spec.linux.resources->pids.limit = 20;
  spec.linux.resources->memory.limit = spec.linux.resources->memory.swap = 64 << 20;
  return spec;
}

bool Delegated() {
  Hierarchy hierarchy = Hierarchy::Probe();
  if ((hierarchy.available() & kMemory) != 0 && (hierarchy.available() & kPids) != 0) return true;
  std::printf("left out: cgroup %s: %s\n", std::string(VersionName(hierarchy.version())).c_str(), hierarchy.why_not().c_str());
  return false;
}

BundleGroup Made(const oci::Spec& spec, const std::string& id) {
  auto group = BundleGroup::Make(spec, Options(id));
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  REQUIRE(group->exists());
  return std::move(*group);
}

template <class Body>
pid_t StartIn(const BundleGroup& group, Body body) {
  auto entrance = group.Enter();
  REQUIRE_MESSAGE(entrance.ok(), entrance.error().Describe());
  std::vector<int> tasks;
  for (const sys::UniqueFd& fd : entrance->tasks) tasks.push_back(fd.get());
  return StartInside(tasks, entrance->folder.get(), body);
}

// Waits until the child has joined: v1's does so itself.
void AwaitInside(const BundleGroup& group, pid_t pid) {
  bool inside = false, alive = true;
  while (!inside && alive) {
    ::usleep(1000);
    auto pids = group.Processes();
    inside = pids && std::find(pids->begin(), pids->end(), pid) != pids->end();
    siginfo_t state{};
    alive = ::waitid(P_PID, static_cast<id_t>(pid), &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid == 0;
  }
  REQUIRE(inside);
}

// The folder of the group in the hierarchy called `list`.
std::string Folder(const BundleGroup& group, const std::string& list) {
  for (const std::string& path : group.Paths()) {
    size_t equals = path.find("=/");
    if (path.substr(0, equals) == list || path.starts_with("unified")) return path.substr(equals + 1);
  }
  return "";
}

std::string Text(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool Gone(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (fs::exists(path.substr(path.find("=/") + 1))) return false;
  }
  return true;
}

}  // namespace

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
  pid_t nested = v2 ? StartInside({}, ::open((top + "/below").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), [] { return ::pause(); })
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
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) std::ofstream(cpuset + "/sub" + file) << Text(cpuset + file) << std::flush;
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

TEST_CASE("limits are set, changed one by one, and counted") {
  if (!Delegated()) return;
  BundleGroup group = Made(Limited(), UniqueName("update"));
  bool v2 = Hierarchy::Probe().version() == Version::kV2;
  std::string memory = Folder(group, "memory"), pids = Folder(group, "pids");
  CHECK(Text(pids + "/pids.max") == "20");
  CHECK(Text(memory + (v2 ? "/memory.max" : "/memory.limit_in_bytes")) == "67108864");
  CHECK(Text(memory + (v2 ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes")) == (v2 ? "0" : "67108864"));
  if (v2) CHECK(Text(memory + "/memory.high") == "max");

  // Up and down again, whichever of memory and swap has to go first.
  for (int64_t megabytes : {256, 32}) {
    oci::Resources more;
    more.memory.limit = more.memory.swap = megabytes << 20;
    auto updated = group.Update(more);
    CHECK_MESSAGE(updated.ok(), updated.error().Describe());
    CHECK(Text(memory + (v2 ? "/memory.max" : "/memory.limit_in_bytes")) == std::to_string(megabytes << 20));
  }
  oci::Resources swap;
  swap.memory.swap = 48 << 20;
  CHECK(group.Update(swap).ok());
  CHECK(Text(memory + (v2 ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes")) == std::to_string((v2 ? 16 : 48) << 20));
  CHECK(Text(pids + "/pids.max") == "20");

  pid_t child = StartIn(group, [] {
    void* data = ::mmap(nullptr, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return data == MAP_FAILED ? 1 : ::pause();
  });
  auto used = [&] {
    auto stats = group.ReadStats();
    REQUIRE(stats.ok());
    return *stats;
  };
  while (used().memory.usage < 8 << 20) ::usleep(1000);
  Stats stats = used();
  CHECK(stats.pids == 1);
  CHECK(stats.pids_limit == 20);
  CHECK(stats.memory.limit == 32 << 20);
  CHECK(stats.swap.limit == 48 << 20);
  CHECK(stats.memory_raw.size() > 10);
  if ((Hierarchy::Probe().available() & kCpu) != 0 || v2) CHECK(stats.cpu_total > 0);

  oci::Resources small;
  small.memory.limit = 1 << 20;
  small.memory.check_before_update = true;
  auto refused = group.Update(small);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().find("checkBeforeUpdate") != std::string::npos);
  CHECK(used().memory.limit == 32 << 20);
  CHECK(group.Kill().ok());
  StatusOf(child);
  CHECK(group.Destroy().ok());
}

TEST_CASE("processor shares, quota and period change each for itself") {
  if (!Delegated() || (Hierarchy::Probe().available() & kCpu) == 0) return;
  bool v2 = Hierarchy::Probe().version() == Version::kV2;
  oci::Spec spec = Limited();
  spec.linux.resources->cpu.quota = 50'000;
  spec.linux.resources->cpu.period = 100'000;
  spec.linux.resources->cpu.shares = 512;
  BundleGroup group = Made(spec, UniqueName("cpu"));
  std::string cpu = Folder(group, "cpu");
  auto now = [&] {
    if (v2) return Text(cpu + "/cpu.max") + " " + Text(cpu + "/cpu.weight");
    return Text(cpu + "/cpu.cfs_quota_us") + " " + Text(cpu + "/cpu.cfs_period_us") + " " + Text(cpu + "/cpu.shares");
  };
  CHECK(now() == (v2 ? "50000 100000 20" : "50000 100000 512"));
  auto set = [&](auto change) {
    oci::Resources resources;
    change(resources.cpu);
    auto updated = group.Update(resources);
    CHECK_MESSAGE(updated.ok(), updated.error().Describe());
    return now();
  };
  CHECK(set([](auto& r) { r.period = 200'000; }) == (v2 ? "50000 200000 20" : "50000 200000 512"));
  CHECK(set([](auto& r) { r.quota = 100'000; }) == (v2 ? "100000 200000 20" : "100000 200000 512"));
  CHECK(set([](auto& r) { r.shares = 1024; }) == (v2 ? "100000 200000 39" : "100000 200000 1024"));
  CHECK(set([](auto& r) { r.period = 100'000; }) == (v2 ? "100000 100000 39" : "100000 100000 1024"));
  CHECK(set([](auto& r) { r.quota = -1; }) == (v2 ? "max 100000 39" : "-1 100000 1024"));
  oci::Resources bad;
  bad.cpu.quota = 1;
  auto refused = group.Update(bad);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().starts_with("linux.resources.cpu.quota: "));
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
  {
    BundleGroup fourth = Made(Limited(), id);
  }
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

TEST_CASE("devices: the defaults work, others are denied, rules and updates count") {
  if (!Delegated()) return;
  oci::Spec spec = Limited();
  spec.linux.resources->devices = {{false, "", {}, {}, "rwm"}, {true, "c", 1, 11, "r"}};  // kmsg, for reading
  BundleGroup group = Made(spec, UniqueName("devices"));
  if (!Root()) {
    REQUIRE(group.notes().size() == 1);
    CHECK(group.notes()[0].starts_with("linux.resources.devices is not enforced by the cgroup"));
    CHECK(group.Destroy().ok());
    return;
  }
  // The errno of opening nodes that the test makes where device files work.
  std::string folder = "/dev/" + UniqueName("nodes");
  fs::create_directory(folder);
  for (auto [name, minor] : {std::pair{"null", 3}, {"kmsg", 11}, {"mem", 1}}) {
    REQUIRE(::mknod((folder + "/" + name).c_str(), S_IFCHR | 0600, static_cast<dev_t>(1 << 8 | minor)) == 0);
  }
  auto opens = [&](const char* name, int flags) {
    std::string path = folder + "/" + name;
    pid_t child = StartIn(group, [&] { return ::open(path.c_str(), flags | O_NONBLOCK) >= 0 ? 0 : errno; });
    return WEXITSTATUS(StatusOf(child));
  };
  CHECK(opens("null", O_RDWR) == 0);
  CHECK(opens("kmsg", O_RDONLY) == 0);
  CHECK(opens("kmsg", O_WRONLY) == EPERM);
  CHECK(opens("mem", O_RDONLY) == EPERM);
  std::string made = folder + "/made";
  pid_t maker = StartIn(group, [&] { return ::mknod(made.c_str(), S_IFCHR | 0600, 1 << 8 | 1) == 0 ? 0 : errno; });
  CHECK(WEXITSTATUS(StatusOf(maker)) == 0);

  oci::Resources more;
  more.devices = {{true, "c", 1, 11, "w"}};
  auto updated = group.Update(more);
  REQUIRE_MESSAGE(updated.ok(), updated.error().Describe());
  CHECK(opens("kmsg", O_RDONLY) == EPERM);
  CHECK(opens("kmsg", O_WRONLY) == 0);
  CHECK(opens("null", O_RDWR) == 0);

  fs::remove_all(folder);
  CHECK(group.Destroy().ok());
}

TEST_CASE("a privileged container opens what it likes") {
  if (!Delegated() || !Root()) return;
  oci::Spec spec = Limited();
  spec.linux.resources->devices = {{true, "a", {}, {}, "rwm"}};
  BundleGroup group = Made(spec, UniqueName("privileged"));
  pid_t child = StartIn(group, [] { return ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK) >= 0 || errno != EPERM ? 0 : 1; });
  CHECK(WEXITSTATUS(StatusOf(child)) == 0);
  CHECK(group.Destroy().ok());
}

TEST_CASE("running out of memory wakes who waits for it") {
  if (!Delegated()) return;
  oci::Spec spec = Limited();
  spec.linux.resources->memory.limit = spec.linux.resources->memory.swap = 16 << 20;
  BundleGroup group = Made(spec, UniqueName("oom"));
  auto events = group.OpenOomEvents();
  REQUIRE_MESSAGE(events.ok(), events.error().Describe());
  bool v2 = Hierarchy::Probe().version() == Version::kV2;
  char drain[512];
  if (v2) CHECK(::read(events->get(), drain, sizeof drain) > 0);
  pid_t child = StartIn(group, [] {
    void* data = ::mmap(nullptr, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return data == MAP_FAILED ? 1 : 0;
  });
  CHECK(WTERMSIG(StatusOf(child)) == SIGKILL);
  pollfd ready{events->get(), static_cast<short>(v2 ? POLLPRI : POLLIN), 0};
  CHECK(::poll(&ready, 1, 1000) == 1);
  CHECK(group.Destroy().ok());
}

TEST_CASE("a failed start leaves no group, and what can't be limited here is named") {
  if (!Delegated()) return;
  oci::Spec spec = Limited();
  std::string id = UniqueName("failed");
  spec.linux.resources->hugepage_limits = {{"3MB", 4096}};
  auto group = BundleGroup::Make(spec, Options(id));
  REQUIRE_FALSE(group.ok());
  CHECK(group.error().message().starts_with("linux.resources.hugepageLimits: "));
  spec.linux.resources->hugepage_limits.clear();
  BundleGroup good = Made(spec, id);
  auto paths = good.Paths();
  good = Made(Limited(), UniqueName("other"));
  CHECK(Gone(paths));
  CHECK(good.Destroy().ok());
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
