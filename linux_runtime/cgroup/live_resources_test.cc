// linux.resources of bundles on the kernel's own cgroups: what is set, changed, enforced and counted.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

#include "linux_runtime/cgroup/live_bundle.h"

using namespace mxc;
using namespace mxc::cgroup;
namespace fs = std::filesystem;

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
  CHECK(Text(memory + (v2 ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes")) ==
        std::to_string((v2 ? 16 : 48) << 20));
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
  pid_t child =
      StartIn(group, [] { return ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK) >= 0 || errno != EPERM ? 0 : 1; });
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
