// The container of a plain bundle after its root stands: terminal, streams, rights, the wait for `start`, the program.
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include <array>

#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/apply_process.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/run_hook.h"
#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr unsigned kPtmxMinor = 2, kTtyAuxMajor = 5;

int BindConsole(int slave) {
  // In the container's root, which the image fills: whatever lies there is looked up without following links.
  int target = sys::OpenAt2(AT_FDCWD, "/dev/console", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS);
  if (target == -ENOENT) {
    target = sys::OpenAt2(AT_FDCWD, "/dev/console", O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY, 0600, RESOLVE_NO_SYMLINKS);
  }
  if (target < 0) return target;
  int mount = sys::OpenTree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
  int error = mount;
  if (mount >= 0) {
    error = sys::MoveMount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    sys::Close(mount);
  }
  sys::Close(target);
  return error;
}

// The slave's owner is the program's user, as login makes it.
int OpenSlave(const Plan& plan, int master, RootState& state) {
  int unlock = 0;
  if (int error = static_cast<int>(sys::Check(::ioctl(master, TIOCSPTLCK, &unlock))); error < 0) return error;
  const int slave = static_cast<int>(sys::Check(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)));
  if (slave < 0) return slave;
  state.console = slave;
  if (plan.bundle.rows != 0 || plan.bundle.columns != 0) {
    winsize size{plan.bundle.rows, plan.bundle.columns, 0, 0};
    if (int error = static_cast<int>(sys::Check(::ioctl(slave, TIOCSWINSZ, &size))); error < 0) return error;
  }
  return 0;
}

// The runtime writes the state down and lets go; from then on the container lives by itself.
int LeaveRuntime(const ChildDescriptors& descriptors) {
  if (int error = Tell(descriptors.parent, Word::kReady); error < 0) return error;
  if (int error = AwaitGo(descriptors.parent); error < 0) return error;
  if (int error = sys::Prctl(PR_SET_PDEATHSIG, 0); error < 0) return error;
  if (int error = Tell(descriptors.parent, Word::kFree); error < 0) return error;
  return sys::Close(descriptors.parent);
}

int AwaitStart(int fifo) {
  char byte;
  long count;
  while ((count = sys::Read(fifo, &byte, 1)) == -EINTR) {
  }
  return count < 0 ? static_cast<int>(count) : 0;
}

}  // namespace

int OpenBundleConsole(const Plan& plan, const Step& step, int parent, RootState& state) {
  const int master = sys::OpenAt(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return master;
  struct stat found;
  if (int error = sys::Fstat(master, &found); error < 0) return error;
  // The image may have put anything there (CVE-2025-52565).
  if (!S_ISCHR(found.st_mode) || found.st_rdev != makedev(kTtyAuxMajor, kPtmxMinor)) return -ENODEV;
  if (int error = OpenSlave(plan, master, state); error < 0) return error;
  if (step.mode == 1) {
    if (int error = BindConsole(state.console); error < 0) return error;
  }
  const int error = Tell(parent, Word::kConsole, master);
  sys::Close(master);
  return error;
}

void RunBundleProgram(const Plan& plan, const ChildDescriptors& descriptors, RootState& state) {
  int status = descriptors.status;
  auto check = [&](uint32_t step, int error) {
    if (error < 0) Fail(status, step, error);
  };
  const BundlePlan& bundle = plan.bundle;
  ::setsid();
  if (state.console >= 0) {
    check(kStepConsole, static_cast<int>(sys::Check(::ioctl(state.console, TIOCSCTTY, 0))));
    for (int fd = 0; fd <= 2; ++fd) check(kStepConsole, static_cast<int>(sys::Check(::dup2(state.console, fd))));
  }
  // The standard streams stay, and what the program is given. The others that stay are close-on-exec and no folders, so
  // that no path can lead out through /proc/self/fd (CVE-2024-21626).
  std::array kept = {
      status, descriptors.parent, bundle.start_fifo, bundle.start_status, bundle.state_created, bundle.hook_output};
  if (!Without("close-range")) check(kStepDescriptors, sys::CloseAllBut(3 + bundle.preserved, kept));
  // From here on nobody inside may ptrace this process or read its memory, which is a copy of the runtime's.
  check(kStepNotDumpable, sys::Prctl(PR_SET_DUMPABLE, 0));
  const Settled settled = SettleProcess(plan);
  check(settled.step, settled.error);
  // A filter that notifies has to be served before the container counts as created; others would only be in the way.
  const bool early = plan.process.filters_early;
  if (early) check(kStepSeccomp, InstallFilters(plan, descriptors.parent));
  check(kStepReady, LeaveRuntime(descriptors));
  if (bundle.start_fifo >= 0) {
    check(kStepReady, AwaitStart(bundle.start_fifo));
    status = bundle.start_status;
  }
  HookFailure failure = RunHooks(bundle.start_container, bundle.state_created, bundle.hook_output);
  if (failure.failed()) FailHook(status, kStepHook, failure);
  int resource = 0;
  if (int error = SetLimits(plan, &resource); error < 0)
    Fail(status, kStepRlimitBase + static_cast<uint32_t>(resource), error);
  ResetSignals();
  if (!early) check(kStepSeccomp, InstallFilters(plan, descriptors.parent));
  ::execve(settled.program, const_cast<char* const*>(plan.argv.data()), const_cast<char* const*>(plan.env.data()));
  Fail(status, kStepExec, -errno);
}

}  // namespace mxc::sandbox
