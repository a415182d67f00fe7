#include "linux_runtime/container/started.h"

#include <sys/stat.h>

#include "linux_runtime/container/hooks.h"
#include "linux_runtime/sandbox/bundle_plan.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::container {
namespace {

Result<int> MakeFifo(const Entry& entry, const char* name, sandbox::Plan& plan) {
  ::unlinkat(entry.folder(), name, 0);  // of a `create` that was killed
  if (::mkfifoat(entry.folder(), name, 0600) != 0) return sys::SystemError("make " + entry.path() + "/" + name, errno);
  // For both directions: opening doesn't wait for the other side, and reading doesn't end when a writer goes away.
  sys::UniqueFd fd(sys::OpenAt(entry.folder(), name, O_RDWR | O_NOFOLLOW));
  if (!fd.valid()) return sys::SystemError("open " + entry.path() + "/" + name, -fd.get());
  return plan.Own(std::move(fd));
}

}  // namespace

Result<void> MakeStartFifos(const Entry& entry, sandbox::Plan& plan) {
  plan.bundle.start_fifo = MXC_TRY(MakeFifo(entry, kStartFifo, plan));
  plan.bundle.start_status = MXC_TRY(MakeFifo(entry, kStartedFifo, plan));
  return {};
}

Error LateFailure(const sandbox::StatusRecord& record, const oci::Spec& spec) {
  sandbox::Plan words;
  if (record.step == sandbox::kStepHook) {
    const auto hooks = sandbox::PrepareHooks(words, spec.hooks.start_container, "hooks.startContainer");
    const auto index = static_cast<size_t>(record.pid);
    if (index < hooks.size()) return HookError(hooks[index], {index, record.error, record.wait_status}, -1);
  }
  words.process.exact = true;
  if (spec.process) {
    words.cwd = words.Intern(spec.process->cwd);
    words.uid = spec.process->user.uid;
    words.gid = spec.process->user.gid;
    for (const std::string& argument : spec.process->args) words.argv.push_back(words.Intern(argument));
  }
  return sandbox::StepError(words, record.step, record.error);
}

Result<void> AwaitProgram(int status, const oci::Spec& spec) {
  sandbox::StatusRecord record{};
  long size;
  while ((size = sys::Read(status, &record, sizeof record)) == -EINTR) {
  }
  if (size == static_cast<long>(sizeof record)) return LateFailure(record, spec);
  return {};
}

Result<void> LetStart(const Entry& entry, const oci::Spec& spec) {
  sys::UniqueFd started(sys::OpenAt(entry.folder(), kStartedFifo, O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
  if (!started.valid()) return sys::SystemError("open " + entry.path() + "/" + kStartedFifo, -started.get());
  {
    sys::UniqueFd start(sys::OpenAt(entry.folder(), kStartFifo, O_WRONLY | O_NONBLOCK | O_NOFOLLOW));
    const char go = 1;
    const long sent = start.valid() ? sys::Write(start.get(), &go, 1) : start.get();
    if (sent < 0) return sys::SystemError("start the container " + entry.id(), static_cast<int>(-sent));
  }
  // The end comes when the program is executed, or when the process dies.
  pollfd ready{started.get(), POLLIN, 0};
  while (::poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
  Result<void> outcome = AwaitProgram(started.get(), spec);
  ::unlinkat(entry.folder(), kStartFifo, 0);
  ::unlinkat(entry.folder(), kStartedFifo, 0);
  return outcome;
}

}  // namespace mxc::container
