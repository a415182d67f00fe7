// The systemd manager: a bundle's group as a transient scope.
//
// systemd makes a scope around processes that run, while everything else here wants the group before the container's
// first process exists: CLONE_INTO_CGROUP, mounts of the group, its limits. So a placeholder holds the scope until that
// process has joined, as it joins any group: it does nothing, and dies with us.
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "linux_runtime/cgroup/inside.h"
#include "linux_runtime/cgroup/make.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

// systemd queues a job and answers before it is done: 30 s is its own patience with a busy host.
constexpr std::chrono::milliseconds kPatience(30'000);

// Where systemd put `pid`, once that is a group named after the unit. Its own hierarchy tells: v2, or v1's name=systemd.
Result<std::string> AwaitScope(pid_t pid, const ScopeRequest& request) {
  Backoff backoff(kPatience);
  for (;;) {
    std::string text = ReadProc("/proc/" + std::to_string(pid) + "/cgroup");
    std::string path = request.version == Version::kV2 ? OwnPathOnV2(text) : OwnPathOnV1(text, "name=systemd");
    if (path.ends_with("/" + request.name.unit)) return path;
    if (text.empty()) return Error(Code::kSystem, "wait for the scope " + request.name.unit + ": its process is gone");
    if (backoff.Wait()) continue;
    return Error(Code::kSystem, "wait for the scope " + request.name.unit + ": systemd did not move its process there")
        .WithErrno(ETIMEDOUT)
        .WithHint("'systemctl status " + request.name.unit + "' may say why");
  }
}

// systemd's path in each hierarchy. systemd has made it in those that it manages; the others are made like it.
Place PlaceOfScope(const Layout& layout, const std::string& path) {
  std::string below = path.substr(1);
  Place place;
  place.v2 = layout.version == Version::kV2;
  if (place.v2) place.spots.push_back({0, "", layout.v2_mount, below});
  for (const OwnGroup& own : layout.v1) place.spots.push_back({own.controllers, own.list, own.mount, below});
  return place;
}

}  // namespace

Result<void> Placeholder::Start() {
  pid_ = sys::Fork();
  if (pid_ == 0) {
    sys::Prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Nobody is to wait for the end of a pipe that it holds.
    sys::CloseRange(0, ~0U, 0);
    for (;;) ::pause();
  }
  if (pid_ < 0) return sys::SystemError("start the process that holds the container's scope", -pid_);
  return {};
}

void Placeholder::End() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);  // ours and not waited for, so that the number is still its own
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  pid_ = -1;
}

Result<void> BundleGroup::Inside::MakeScope(ScopeRequest request, const Hierarchy& hierarchy) {
  unit = request.name.unit;
  MXC_TRY(placeholder.Start());
  request.pid = placeholder.pid();
  std::vector<std::string> start = StartScopeCall(request);
  if (auto first = CallSystemd(bus, start); !first) {
    // A unit of this name that failed earlier stays in systemd's memory until it is forgotten.
    if (!CallSystemd(bus, ResetFailedCall(unit))) return first;
    MXC_TRY_AS("make the container's scope", CallSystemd(bus, start));
  }
  std::string path = MXC_TRY(AwaitScope(request.pid, request));
  Place place = PlaceOfScope(hierarchy.layout(), path);
  group.emplace(MXC_TRY(CreateAt(hierarchy, place, {.may_lack = rootless, .in_use = true})));
  return {};
}

// The unit ends when its last process has; stopping it makes systemd remove its groups. That it is gone already is what
// delete wants, so the answer is not looked at: Destroy finds what is left.
void BundleGroup::Inside::StopScope() {
  placeholder.End();
  (void)CallSystemd(bus, StopUnitCall(unit));
  (void)CallSystemd(bus, ResetFailedCall(unit));
}

}  // namespace mxc::cgroup
