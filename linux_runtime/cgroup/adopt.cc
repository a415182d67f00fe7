// The systemd manager: a scope around a process that runs already.
#include <errno.h>
#include <signal.h>

#include "linux_runtime/cgroup/inside.h"
#include "linux_runtime/cgroup/make.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/sys/error.h"

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
    return Error(Code::kSystem, "wait for the scope " + request.name.unit + ": systemd did not move the container's process into it")
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

// v1: into the hierarchies in which systemd did not move the process.
Result<void> Move(const Group& group, pid_t pid) {
  for (const Directory* folder : group.Folders()) {
    int result = folder->Write("cgroup.procs", std::to_string(pid));
    if (result < 0) return sys::SystemError("move process " + std::to_string(pid) + " into " + folder->path(), -result);
  }
  return {};
}

}  // namespace

Result<void> BundleGroup::Adopt(pid_t pid) {
  if (!inside_->pending) return {};
  PendingScope pending = std::move(*inside_->pending);
  inside_->pending.reset();
  pending.request.pid = pid;
  const Bus& bus = inside_->bus;
  std::vector<std::string> start = StartScopeCall(pending.request);
  if (auto first = CallSystemd(bus, start); !first) {
    // A unit of this name that failed earlier stays in systemd's memory until it is forgotten.
    if (!CallSystemd(bus, ResetFailedCall(inside_->unit))) return first;
    MXC_TRY_AS("make the container's scope", CallSystemd(bus, start));
  }
  std::string path = MXC_TRY(AwaitScope(pid, pending.request));
  Place place = PlaceOfScope(pending.hierarchy.layout(), path);
  inside_->group.emplace(MXC_TRY(CreateAt(pending.hierarchy, place, {.may_lack = inside_->rootless, .in_use = true})));
  Group& group = *inside_->group;
  if (!group.v2()) MXC_TRY(Move(group, pid));
  MXC_TRY(CheckControllers(group, pending.settings, pending.hierarchy));
  MXC_TRY(group.Write(pending.settings, inside_->notes));
  return inside_->SetDevices(pending.rules, false);
}

// The unit ends when its last process has; stopping it makes systemd remove its groups. That it is gone already is what
// delete wants, so the answer is not looked at: Destroy finds what is left.
void BundleGroup::StopScope() {
  (void)CallSystemd(inside_->bus, StopUnitCall(inside_->unit));
  (void)CallSystemd(inside_->bus, ResetFailedCall(inside_->unit));
}

}  // namespace mxc::cgroup
