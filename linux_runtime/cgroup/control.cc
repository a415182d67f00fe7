// Freezing and killing a group.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

using Milliseconds = std::chrono::milliseconds;

Error StillRunning(const Directory& group, const char* what, const char* why) {
  return Error(Code::kSystem, std::string(what) + " the cgroup " + group.path() + ": " + why).WithErrno(ETIMEDOUT);
}

// Waits until `key` of cgroup.events is `value`; the kernel wakes who polls it at each change.
Result<void> AwaitEvent(const Directory& group, const char* key, uint64_t value, Milliseconds patience,
                        const char* what) {
  sys::UniqueFd events = MXC_TRY(group.OpenFile("cgroup.events", O_RDONLY));
  auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    char text[256];
    ssize_t size = ::pread(events.get(), text, sizeof text, 0);
    if (size < 0) return sys::SystemError("read " + group.path() + "/cgroup.events", errno);
    if (FlatKey(std::string_view(text, static_cast<size_t>(size)), key).value_or(value) == value) return {};
    auto left = std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return StillRunning(group, what, "a process hangs in the kernel");
    pollfd wait{events.get(), POLLPRI, 0};
    ::poll(&wait, 1, static_cast<int>(left.count()));
  }
}

Result<void> FreezeV1(const Directory& group, bool frozen, Milliseconds patience) {
  const char* order = frozen ? "FROZEN" : "THAWED";
  Backoff backoff(patience);
  for (;;) {
    // Written again each time: a task that forked meanwhile is caught by the next order only.
    int result = group.Write("freezer.state", order);
    if (result < 0)
      return sys::SystemError("write " + std::string(order) + " to " + group.path() + "/freezer.state", -result);
    std::string state = MXC_TRY(group.Read("freezer.state"));
    if (state.starts_with(order)) return {};
    if (!backoff.Wait()) {
      if (frozen) group.Write("freezer.state", "THAWED");
      return StillRunning(group, frozen ? "freeze" : "thaw", "a process hangs in the kernel");
    }
  }
}

}  // namespace

Result<void> Group::Freeze(bool frozen, Milliseconds patience) {
  if (v2_) {
    const Directory& group = parts_[0].self;
    int result = group.Write("cgroup.freeze", frozen ? "1" : "0");
    if (result < 0) return sys::SystemError("write to " + group.path() + "/cgroup.freeze", -result);
    auto done = AwaitEvent(group, "frozen", frozen ? 1 : 0, patience, frozen ? "freeze" : "thaw");
    if (!done && frozen) group.Write("cgroup.freeze", "0");
    return done;
  }
  const Part* part = Find(kFreezer);
  if (part == nullptr)
    return Error(Code::kUnsupported, "freeze the sandbox: its cgroup was made without the v1 freezer");
  return FreezeV1(part->self, frozen, patience);
}

Result<std::vector<int>> Group::Processes() const {
  std::vector<int> all;
  for (const Part& part : parts_) {
    std::vector<int> some = MXC_TRY(part.self.ProcessesBelow());
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Result<bool> Group::Frozen() const {
  if (none()) return false;
  const Part* part = v2_ ? &parts_[0] : Find(kFreezer);
  if (part == nullptr) return false;
  // Its own order, not that of a group above.
  auto order = part->self.ReadNumber(v2_ ? "cgroup.freeze" : "freezer.self_freezing");
  // Deleted by somebody meanwhile: nothing is frozen in there.
  if (!order.ok() && (order.error().system_errno() == ENOENT || order.error().system_errno() == ENODEV)) return false;
  return MXC_TRY(std::move(order)) == 1;
}

// A pid read from a list may name another process by now, so it is signalled through a pidfd, and only if the list still
// has it after the pidfd was opened.
Result<void> Group::Signal(int signal) const {
  std::vector<int> before = MXC_TRY(Processes());
  std::vector<std::pair<int, sys::UniqueFd>> opened;
  for (int pid : before) {
    if (pid == 0 || pid == ::getpid()) {
      return Error(Code::kRefused,
                   "signal the cgroup " + parts_[0].self.path() + ": " +
                       (pid == 0 ? "it holds a process that this pid namespace can't see" : "it is our own"));
    }
    int fd = sys::PidfdOpen(pid);
    if (fd >= 0) opened.emplace_back(pid, sys::UniqueFd(fd));
  }
  if (opened.empty()) return {};
  std::vector<int> after = MXC_TRY(Processes());
  for (const auto& [pid, fd] : opened) {
    if (!std::binary_search(after.begin(), after.end(), pid)) continue;
    int result = sys::PidfdSendSignal(fd.get(), signal);
    if (result < 0 && result != -ESRCH) return sys::SystemError("signal process " + std::to_string(pid), -result);
  }
  return {};
}

Result<bool> Group::Empty() const { return MXC_TRY(Processes()).empty(); }

Result<void> Group::Kill(Milliseconds patience) {
  if (parts_.empty()) return {};
  if (v2_) {
    int result = parts_[0].self.Write("cgroup.kill", "1");  // Linux 5.14; frozen or not
    if (result == 0) return AwaitEvent(parts_[0].self, "populated", 0, patience, "kill");
    if (result != -ENOENT) return sys::SystemError("write to " + parts_[0].self.path() + "/cgroup.kill", -result);
  }
  // While frozen nothing forks, so that one round reaches all; without it each round races with fork and wins by pids.
  bool can_freeze = v2_ || Find(kFreezer) != nullptr;
  Backoff backoff(patience);
  for (;;) {
    bool frozen = can_freeze && Freeze(true, Milliseconds(100)).ok();
    Result<void> killed = Signal(SIGKILL);
    // What is in it may have frozen a group of its own below.
    if (const Part* freezer = v2_ ? nullptr : Find(kFreezer)) freezer->self.WriteBelow("freezer.state", "THAWED");
    if (frozen) MXC_TRY(Freeze(false, Milliseconds(100)));
    if (!killed) return killed;
    if (MXC_TRY(Empty())) return {};
    if (!backoff.Wait()) return StillRunning(parts_[0].self, "kill", "processes are left");
  }
}

}  // namespace mxc::cgroup
