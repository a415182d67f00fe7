#include "linux_runtime/sandbox/run_hook.h"

#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

[[noreturn]] void BecomeHook(const PlannedHook& hook, pid_t parent, int state, int output, int failure) {
  // Killed within a hook, the runtime leaves none behind that goes on while the container is deleted.
  sys::Prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);
  ::setsid();
  if (::dup2(state, 0) < 0) ::_exit(125);
  if (output >= 0 && (::dup2(output, 1) < 0 || ::dup2(output, 2) < 0)) ::_exit(125);
  sys::CloseRange(3, ~0u, sys::kCloseRangeCloexec);
  // As under runc and crun. Not every hook can: a user namespace may have taken the right away.
  if (hook.folder != nullptr) (void)sys::Chdir(hook.folder);
  ResetSignals();
  ::execve(hook.path, const_cast<char* const*>(hook.argv.data()), const_cast<char* const*>(hook.env.data()));
  const int error = errno;
  sys::Write(failure, &error, sizeof error);
  ::_exit(127);
}

// 0, or -ETIMEDOUT once the hook is killed.
int AwaitEnd(pid_t pid, int timeout_ms, int* wait_status) {
  int late = 0;
  if (timeout_ms >= 0) {
    const int pidfd = sys::PidfdOpen(pid);
    if (pidfd < 0) return pidfd;
    pollfd end{pidfd, POLLIN, 0};
    int ready;
    while ((ready = static_cast<int>(sys::Check(::poll(&end, 1, timeout_ms)))) == -EINTR) {
    }
    if (ready == 0) {
      sys::PidfdSendSignal(pidfd, SIGKILL);
      late = -ETIMEDOUT;
    }
    sys::Close(pidfd);
  }
  while (::waitpid(pid, wait_status, 0) < 0 && errno == EINTR) {
  }
  return late;
}

HookFailure RunHook(const PlannedHook& hook, int state, int output) {
  HookFailure failure;
  if (::lseek(state, 0, SEEK_SET) < 0) {
    failure.error = errno;
    return failure;
  }
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    failure.error = errno;
    return failure;
  }
  const pid_t parent = ::getpid();
  const pid_t pid = sys::Fork();
  if (pid == 0) BecomeHook(hook, parent, state, output, pipe[1]);
  sys::Close(pipe[1]);
  int error = 0;
  if (pid < 0) {
    failure.error = -pid;
  } else if (sys::Read(pipe[0], &error, sizeof error) == sizeof error) {
    failure.error = error;
    AwaitEnd(pid, -1, &failure.wait_status);
    failure.wait_status = 0;
  } else {
    failure.error = -AwaitEnd(pid, hook.timeout_ms, &failure.wait_status);
    if (failure.error != 0) failure.wait_status = 0;
  }
  sys::Close(pipe[0]);
  return failure;
}

}  // namespace

HookFailure RunHooks(const std::vector<PlannedHook>& hooks, int state, int output) {
  for (size_t index = 0; index < hooks.size(); ++index) {
    HookFailure failure = RunHook(hooks[index], state, output);
    failure.index = index;
    if (failure.failed()) return failure;
  }
  return {};
}

}  // namespace mxc::sandbox
