// Groups on the kernel's own cgroups: v1 and hybrid as root, v2 as root and as a user with a delegated group (see
// tests/lab/cgroup_v2.sh). Where the caller can make no group, it says so and checks that the error says why.
#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/live_testing.h"
#include "linux_runtime/cgroup/sweep.h"
#include "linux_runtime/sys/raw.h"

using namespace mxc;
using namespace mxc::cgroup;
using Clock = std::chrono::steady_clock;

namespace {

// False, with the reason printed, where this caller can't make groups.
bool CanMakeGroups(const Hierarchy& hierarchy) {
  if (hierarchy.available() & kMemory && hierarchy.available() & kPids) return true;
  std::printf("left out: cgroup %s: %s\n", std::string(VersionName(hierarchy.version())).c_str(),
              hierarchy.why_not().c_str());
  CHECK_FALSE(hierarchy.why_not().empty());
  return false;
}

template <class Body>
pid_t StartIn(Group& group, Body body) {
  return StartInside(group.JoinFds(), group.CloneFd(), body);
}

double Microseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::micro>(Clock::now() - from).count();
}

bool Exists(const Group& group) {
  for (const std::string& path : group.Paths()) {
    if (std::filesystem::exists(path.substr(path.find('=') + 1))) return true;
  }
  return false;
}

Extras AllExtras(const Hierarchy& hierarchy) {
  bool v1 = hierarchy.version() != Version::kV2;
  return {.freezer = v1, .accounting = v1};
}

}  // namespace

TEST_CASE("the pids limit holds for the child from its start") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.pids = 3;
  auto group = Create(hierarchy, UniqueName("pids"), limits);
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  pid_t child = StartIn(*group, [] {
    int made = 0;
    for (int i = 0; i < 10; ++i) {
      pid_t pid = sys::Fork();
      if (pid == 0) {
        ::pause();
        ::_exit(0);
      }
      if (pid < 0) break;
      ++made;
    }
    return made;
  });
  int status = StatusOf(child);
  CHECK(WEXITSTATUS(status) == 2);
  auto usage = group->ReadUsage();
  REQUIRE(usage.ok());
  CHECK(usage->pids == 2u);
  CHECK(usage->pids_refused == 1u);

  // The two sleepers are nobody's children now: Kill finds them, and Destroy waits until the kernel has let go.
  CHECK(group->Destroy(std::chrono::milliseconds(5)).error().system_errno() == EBUSY);
  auto killed = group->Kill();
  REQUIRE_MESSAGE(killed.ok(), killed.error().Describe());
  auto paths = group->Paths();
  auto destroyed = group->Destroy();
  REQUIRE_MESSAGE(destroyed.ok(), destroyed.error().Describe());
  for (const std::string& path : paths) CHECK_FALSE(std::filesystem::exists(path.substr(path.find('=') + 1)));
}

TEST_CASE("running out of memory ends the child, is counted, and wakes who waits for it") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.memory_bytes = limits.memory_and_swap_bytes = 32 << 20;
  auto group = Create(hierarchy, UniqueName("oom"), limits);
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  auto events = group->OpenOomEvents();
  REQUIRE_MESSAGE(events.ok(), events.error().Describe());
  bool v2 = hierarchy.version() == Version::kV2;
  if (v2) {
    char drain[512];
    CHECK(::read(events->get(), drain, sizeof drain) > 0);
  }
  pid_t child = StartIn(*group, [] {
    constexpr size_t kSize = 64 << 20;
    void* data = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return 1;
    std::memset(data, 1, kSize);
    return 0;
  });
  int status = StatusOf(child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  pollfd ready{events->get(), static_cast<short>(v2 ? POLLPRI : POLLIN), 0};
  CHECK(::poll(&ready, 1, 1000) == 1);
  auto usage = group->ReadUsage();
  REQUIRE(usage.ok());
  // v2 kills the group as a whole and counts the process that it chose first once more.
  CHECK(usage->oom_kills.value_or(0) >= 1);
  CHECK(usage->oom_kills.value_or(0) <= (v2 ? 2 : 1));
  CHECK(usage->memory_peak_bytes.value_or(32 << 20) >= 28u << 20);
  CHECK(usage->memory_peak_bytes.value_or(32 << 20) <= 32u << 20);
  CHECK(group->Destroy().ok());
}

TEST_CASE("a frozen group stands still, and can be killed") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.pids = 10;
  auto group = Create(hierarchy, UniqueName("freeze"), limits, AllExtras(hierarchy));
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  auto* counter =
      static_cast<volatile uint64_t*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t child = StartIn(*group, [counter]() -> int {
    for (;;) *counter = *counter + 1;
  });
  while (*counter == 0) ::sched_yield();
  auto frozen = group->Freeze(true);
  REQUIRE_MESSAGE(frozen.ok(), frozen.error().Describe());
  uint64_t seen = *counter;
  ::usleep(20'000);
  CHECK(*counter == seen);
  REQUIRE(group->Freeze(false).ok());
  while (*counter == seen) ::sched_yield();
  auto usage = group->ReadUsage();
  CHECK(usage->cpu_us.value_or(0) > 0);

  REQUIRE(group->Freeze(true).ok());
  // Kill waits until the group is empty, which a zombie does not hinder.
  auto killed = group->Kill();
  REQUIRE_MESSAGE(killed.ok(), killed.error().Describe());
  CHECK(WTERMSIG(StatusOf(child)) == SIGKILL);
  CHECK(group->Destroy().ok());
}

TEST_CASE("killing reaches a group that forks all the time") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.pids = 50;
  for (bool freezer : {false, true}) {
    auto group =
        Create(hierarchy, UniqueName("bomb"), limits, {.freezer = freezer && hierarchy.version() != Version::kV2});
    REQUIRE_MESSAGE(group.ok(), group.error().Describe());
    pid_t child = StartIn(*group, []() -> int {
      ::signal(SIGCHLD, SIG_IGN);
      for (;;) sys::Fork();
    });
    ::usleep(20'000);
    auto killed = group->Kill(std::chrono::milliseconds(20'000));
    CHECK_MESSAGE(killed.ok(), killed.error().Describe());
    StatusOf(child);
    CHECK(group->Destroy().ok());
  }
}

TEST_CASE("limits can be set again on a group in use, up and down") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.memory_bytes = limits.memory_and_swap_bytes = 64 << 20;
  auto group = Create(hierarchy, UniqueName("set"), limits);
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  std::vector<std::string> notes;
  for (uint64_t megabytes : {256, 32, 128}) {
    limits.memory_bytes = limits.memory_and_swap_bytes = megabytes << 20;
    auto set = group->Set(limits, notes);
    CHECK_MESSAGE(set.ok(), set.error().Describe());
  }
  Limits other;
  other.hugepages = {{"3MB", 1}};
  CHECK(group->Set(other, notes).error().message().starts_with("linux.resources.hugepageLimits"));
  CHECK(group->Destroy().ok());
}

TEST_CASE("a value that the kernel refuses is named, and the half-made group is gone") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy) || (hierarchy.available() & kCpu) == 0) return;
  Limits limits;
  limits.pids = 10;
  limits.memory_bytes = 64 << 20;
  limits.cpu_quota_us = 100'000;
  limits.cpu_period_us = 50;
  std::string name = UniqueName("bad");
  auto group = Create(hierarchy, name, limits);
  REQUIRE_FALSE(group.ok());
  INFO(group.error().Describe());
  CHECK(group.error().message().starts_with("linux.resources.cpu."));
  CHECK(group.error().message().find("EINVAL") != std::string::npos);
  limits.cpu_period_us.reset();
  auto good = Create(hierarchy, name, limits);
  CHECK_MESSAGE(good.ok(), good.error().Describe());
}

TEST_CASE("an empty leftover is swept, one in use is not") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.pids = 10;
  auto dead = Create(hierarchy, UniqueName("sweep-dead"), limits);
  auto used = Create(hierarchy, UniqueName("sweep-used"), limits);
  REQUIRE((dead.ok() && used.ok()));
  dead->Release();
  pid_t child = StartIn(*used, [] { return ::pause(); });
  // The child of a v1 group joins by itself; only then is the group in use.
  while (used->ReadUsage()->pids.value_or(0) == 0) ::sched_yield();
  CHECK(Sweep(hierarchy, UniqueName("sweep").substr(0, 13), [](const std::string&) { return false; }) == 1);
  CHECK_FALSE(Exists(*dead));
  CHECK(Exists(*used));
  CHECK(used->Kill().ok());
  StatusOf(child);
  CHECK(used->Destroy().ok());
}

TEST_CASE("what a start pays for its group") {
  Hierarchy hierarchy = Hierarchy::Probe();
  if (!CanMakeGroups(hierarchy)) return;
  Limits limits;
  limits.memory_bytes = limits.memory_and_swap_bytes = 256 << 20;
  limits.pids = 100;
  if (hierarchy.available() & kCpu) limits.cpu_quota_us = 100'000;
  constexpr int kRounds = 200;
  std::vector<double> probe, create, start, destroy;
  for (int round = 0; round < kRounds; ++round) {
    auto at = Clock::now();
    Hierarchy again = Hierarchy::Probe();
    probe.push_back(Microseconds(at));
    at = Clock::now();
    auto group = Create(again, UniqueName("bench"), limits);
    create.push_back(Microseconds(at));
    REQUIRE_MESSAGE(group.ok(), group.error().Describe());
    at = Clock::now();
    pid_t child = StartIn(*group, [] { return 0; });
    int status = StatusOf(child);
    start.push_back(Microseconds(at));
    CHECK(status == 0);
    at = Clock::now();
    CHECK(group->Destroy().ok());
    destroy.push_back(Microseconds(at));
  }
  std::vector<double> plain;
  for (int round = 0; round < kRounds; ++round) {
    auto at = Clock::now();
    pid_t pid = sys::Fork();
    if (pid == 0) ::_exit(0);
    StatusOf(pid);
    plain.push_back(Microseconds(at));
  }
  auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
    return values[kRounds / 2];
  };
  std::printf(
      "cgroup %s, medians of %d in us: probe %.0f, create with limits %.0f, fork+join+exit+wait %.0f (without group "
      "%.0f), destroy %.0f\n",
      std::string(VersionName(hierarchy.version())).c_str(), kRounds, median(probe), median(create), median(start),
      median(plain), median(destroy));
}
