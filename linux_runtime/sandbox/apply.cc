#include "linux_runtime/sandbox/apply.h"

#include <linux/filter.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "linux_runtime/sandbox/apply_process.h"
#include "linux_runtime/sandbox/program_server.h"
#include "linux_runtime/sandbox/reaper.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/run_hook.h"
#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

namespace {

[[noreturn]] void FailProgram(int status, uint32_t program, uint32_t step, int error) {
  StatusRecord record{};
  record.kind = StatusKind::kFailed;
  record.step = step;
  record.error = error < 0 ? -error : error;
  record.program = program;
  sys::Write(status, &record, sizeof record);
  ::_exit(125);
}

}  // namespace

void Fail(int status, uint32_t step, int error) { FailProgram(status, 0, step, error); }

void FailHook(int status, uint32_t step, const HookFailure& failure) {
  StatusRecord record{};
  record.kind = StatusKind::kFailed;
  record.step = step;
  record.error = failure.error;
  record.pid = static_cast<int32_t>(failure.index);
  record.wait_status = failure.wait_status;
  sys::Write(status, &record, sizeof record);
  ::_exit(125);
}

void ResetSignals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

namespace {

constexpr int kLastCapability = 63;

// Bounding first, since that takes CAP_SETPCAP, which goes next.
int SetCapabilities(const Plan& plan) {
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    if ((plan.bounding >> capability & 1) != 0) continue;
    int error = sys::Prctl(PR_CAPBSET_DROP, static_cast<unsigned long>(capability));
    if (error == -EINVAL) break;  // above the kernel's last
    if (error < 0) return error;
  }
  constexpr unsigned long kLocked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                    SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (plan.permitted == 0 && plan.ambient == 0) {
    if (int error = sys::Prctl(PR_SET_SECUREBITS, kLocked); error < 0) return error;
  }
  if (int error = sys::Prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL); error < 0) return error;
  sys::CapabilitySets sets{plan.effective, plan.permitted, plan.inheritable};
  if (int error = sys::CapSet(sets); error < 0) return error;
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    if ((plan.ambient >> capability & 1) == 0) continue;
    if (int error = sys::Prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, static_cast<unsigned long>(capability)); error < 0)
      return error;
  }
  return 0;
}

int InstallSeccomp(const SeccompProgram& program) {
  return sys::SeccompSetFilter(program.code.data(), program.code.size(), program.flags);
}

int ExecFirst(const Program& program) {
  int error = -ENOENT;
  for (const char* const* candidate = program.candidates; *candidate != nullptr; ++candidate) {
    ::execve(*candidate, const_cast<char* const*>(program.argv), const_cast<char* const*>(program.env));
    if (errno == EACCES) {
      error = -EACCES;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      return -errno;
    }
  }
  return error;
}

int WriteWhole(const char* path, const char* text) {
  int fd = sys::OpenAt(AT_FDCWD, path, O_WRONLY);
  if (fd < 0) return fd;
  long written = sys::Write(fd, text, strlen(text));
  sys::Close(fd);
  return written < 0 ? static_cast<int>(written) : 0;
}

int MapSelf(const Step& step) {
  if (int error = WriteWhole("/proc/self/setgroups", "deny"); error < 0 && error != -ENOENT) return error;
  if (int error = WriteWhole("/proc/self/uid_map", step.text); error < 0) return error;
  return WriteWhole("/proc/self/gid_map", step.path);
}

// After the last change of ids, which would clear it (prctl(2), PR_SET_PDEATHSIG).
int TieToParent(int parent) {
  if (int error = sys::Prctl(PR_SET_PDEATHSIG, SIGKILL); error < 0) return error;
  // The parent may have died just before: its end of the pair is then closed.
  pollfd end{parent, 0, 0};
  if (::poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0) return -EPIPE;
  return 0;
}

int MeetParent(int parent, Word word) {
  if (int error = Tell(parent, word); error < 0) return error;
  return AwaitGo(parent);
}

// What can be done while the guard gets ready. A detached mount whose last descriptor is closed waits for an RCU grace
// period: here, or in the guard, nobody has to wait for it.
void UseTheWait(RootState& state) {
  CloseCovers(&state.covers);
  LandlockFailure unreported{};
  // If this fails, it fails again below, where it counts.
  if (state.landlock != nullptr) state.ruleset = MakeLandlockRuleset(*state.landlock, &unreported);
}

int MeetKeeper(int parent, RootState& state) {
  UseTheWait(state);
  return AwaitGo(parent);
}

int SetIds(const Step& step) {
  if (step.mode != 0) {
    if (int error = sys::SetGroups(0, nullptr); error < 0) return error;
  }
  if (int error = sys::SetResGid(static_cast<gid_t>(step.extra)); error < 0) return error;
  return sys::SetResUid(static_cast<uid_t>(step.flags));
}

int LoopbackUp() {
  int fd = static_cast<int>(sys::Check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
  if (fd < 0) return fd;
  ifreq request{};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  int error = static_cast<int>(sys::Check(::ioctl(fd, SIOCSIFFLAGS, &request)));
  sys::Close(fd);
  return error;
}

int ApplyAnyStep(const Plan& plan, const Step& step, const ChildDescriptors& descriptors, RootState& state) {
  switch (step.op) {
    case Op::kAwaitParent:
      return AwaitGo(descriptors.parent);
    case Op::kMapSelf:
      return MapSelf(step);
    case Op::kJoinCgroup:
      return static_cast<int>(sys::Write(step.fd, "0", 1));
    case Op::kUnshareCgroup:
      return sys::Unshare(CLONE_NEWCGROUP);
    case Op::kMeetParent:
      return MeetKeeper(descriptors.parent, state);
    case Op::kSetIds:
      return SetIds(step);
    case Op::kTieToParent:
      return TieToParent(descriptors.parent);
    case Op::kPrivateMounts:
      return sys::Mount(nullptr, "/", nullptr, MS_REC | step.propagation, nullptr);
    case Op::kEnterRoot:
      return EnterRoot(step, state.root, descriptors.parent);
    case Op::kHostname:
      return sys::SetHostname(step.text, strlen(step.text));
    case Op::kDomainname:
      return static_cast<int>(sys::Check(::setdomainname(step.text, strlen(step.text))));
    case Op::kLoopbackUp:
      return LoopbackUp();
    case Op::kSysctl:
    case Op::kTimeNamespace:
    case Op::kAppArmorLabel:
    case Op::kSelinuxLabel:
    case Op::kSessionKeyring:
    case Op::kWorkingFolder:
      return ApplyProcessStep(step, state);
    case Op::kJoinNamespace:
      return sys::SetNs(step.fd, static_cast<int>(step.flags));
    case Op::kConsole:
      return OpenBundleConsole(plan, step, descriptors.parent, state);
    default:
      return ApplyMountStep(step, state);
  }
}

// A terminal from the container's own devpts: the slave becomes the program's, the master goes to the supervisor.
int OpenConsole(int parent, const Program& program) {
  const unsigned streams = program.terminal_streams;
  int master = sys::OpenAt(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return master;
  int unlock = 0;
  if (int error = static_cast<int>(sys::Check(::ioctl(master, TIOCSPTLCK, &unlock))); error < 0) return error;
  int slave = static_cast<int>(sys::Check(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)));
  if (slave < 0) return slave;
  if (program.rows != 0) {
    const winsize size{program.rows, program.columns, 0, 0};
    if (int error = static_cast<int>(sys::Check(::ioctl(master, TIOCSWINSZ, &size))); error < 0) return error;
  }
  if (int error = Tell(parent, Word::kConsole, master, program.id); error < 0) return error;
  sys::Close(master);
  // Nothing is typed into one that is for output only; a program that asks for a password there would wait for ever.
  int error = (streams & 1) != 0 ? static_cast<int>(sys::Check(::ioctl(slave, TIOCSCTTY, 0))) : 0;
  if (error < 0) return error;
  for (int fd = 0; fd <= 2; ++fd) {
    if ((streams >> fd & 1) == 0) continue;
    if (int error = static_cast<int>(sys::Check(::dup2(slave, fd))); error < 0) return error;
  }
  return 0;
}

// The mounts stand, and the old root is still there: hooks may change what is in the new one.
void RunCreateHooks(const Plan& plan, const ChildDescriptors& descriptors, uint32_t step) {
  if (plan.bundle.runtime_hooks) {
    if (int error = MeetParent(descriptors.parent, Word::kHooks); error < 0) Fail(descriptors.status, step, error);
  }
  HookFailure failure = RunHooks(plan.bundle.create_container, plan.bundle.state_creating, plan.bundle.hook_output);
  if (failure.failed()) FailHook(descriptors.status, step, failure);
}

[[noreturn]] void RunProgram(const Plan& plan, const Program& program, const ChildDescriptors& descriptors) {
  const int status = descriptors.status;
  auto check = [&](uint32_t step, int error) {
    if (error < 0) FailProgram(status, program.id, step, error);
  };
  ::setsid();
  for (int fd = 0; fd <= 2; ++fd) {
    if (program.streams[fd] != fd)
      check(kStepDescriptors, static_cast<int>(sys::Check(::dup2(program.streams[fd], fd))));
  }
  if (program.terminal_streams != 0) check(kStepConsole, OpenConsole(descriptors.parent, program));
  // Before any path of the container's is used: through /proc/self/fd/N, a working folder or a program's name led out of
  // the sandbox by a descriptor that somebody left open (CVE-2024-21626).
  int kept[] = {status};
  if (!Without("close-range")) check(kStepDescriptors, sys::CloseAllBut(3, kept));
  if (int error = sys::Chdir(program.cwd); error < 0) {
    if (program.cwd_required) check(kStepChdir, error);
    check(kStepChdir, sys::Chdir("/"));
  }
  for (const Rlimit& limit : plan.rlimits) {
    check(kStepRlimitBase + static_cast<uint32_t>(limit.resource),
          sys::SetRlimit(limit.resource, limit.soft, limit.hard));
  }
  if (plan.umask >= 0) ::umask(static_cast<mode_t>(plan.umask));
  ResetSignals();
  for (const SeccompProgram& filter : plan.seccomp) check(kStepSeccomp, InstallSeccomp(filter));
  FailProgram(status, program.id, kStepExec, ExecFirst(program));
}

struct ProgramStart {
  const Plan& plan;
  const Program& program;
  const ChildDescriptors& descriptors;
};

Program ProgramOf(const Plan& plan) {
  Program program;
  program.argv = plan.argv.data();
  program.env = plan.env.data();
  program.candidates = plan.candidates.data();
  program.cwd = plan.cwd;
  program.cwd_required = plan.cwd_required;
  if (plan.terminal) program.terminal_streams = plan.terminal_streams;
  return program;
}

}  // namespace

// As vfork(2), on a stack of its own: until exec the program's process is this file's code, and nobody in the container can
// look at it (it is not dumpable), so that it may share our memory. Copying that would cost more than all filters.
pid_t StartProgram(const Plan& plan, const Program& program, const ChildDescriptors& descriptors) {
  alignas(16) char stack[32 * 1024];
  ProgramStart start{plan, program, descriptors};
  return static_cast<pid_t>(sys::Check(::clone(
      [](void* argument) -> int {
        const auto* start = static_cast<const ProgramStart*>(argument);
        RunProgram(start->plan, start->program, start->descriptors);
      },
      stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start)));
}

void RunChild(const Plan& plan, const ChildDescriptors& descriptors, const ArgvArea& argv) {
  const int status = descriptors.status;
  auto check = [&](uint32_t step, int error) {
    if (error < 0) Fail(status, step, error);
  };
  if (plan.bundle.joins.empty()) check(kStepInitialAffinity, SetInitialAffinity(plan));
  if (argv.start != nullptr && !Without("argv")) memset(argv.start, 0, argv.size);
  RootState state{-1, plan.covers};
  if (plan.use_landlock) state.landlock = &plan.landlock;
  for (uint32_t index = 0; index < plan.steps.size(); ++index) {
    if (plan.steps[index].op == Op::kHooks) {
      RunCreateHooks(plan, descriptors, index);
    } else {
      check(index, ApplyAnyStep(plan, plan.steps[index], descriptors, state));
    }
  }
  if (plan.bundle.wanted) RunBundleProgram(plan, descriptors, state);
  // From here on nobody inside may ptrace this process or read its memory, which is a copy of the supervisor's.
  check(kStepNotDumpable, sys::Prctl(PR_SET_DUMPABLE, Without("dumpable") ? 1 : 0));
  check(kStepCapabilities, SetCapabilities(plan));
  if (plan.no_new_privileges) check(kStepNoNewPrivileges, sys::Prctl(PR_SET_NO_NEW_PRIVS, 1));
  if (plan.use_landlock) {
    LandlockFailure failure{};
    check(kStepLandlock, state.ruleset < 0 ? ApplyLandlock(plan.landlock, &failure)
                                           : RestrictToRuleset(plan.landlock, state.ruleset, &failure));
  }
  if (plan.serves) ServePrograms(plan, descriptors);
  const Program own = ProgramOf(plan);
  if (!plan.reaper) RunProgram(plan, own, descriptors);

  // Programs may look at /proc/1/comm from their first instant.
  sys::Prctl(PR_SET_NAME, reinterpret_cast<unsigned long>(plan.init_name));
  pid_t program = StartProgram(plan, own, descriptors);
  if (program < 0) Fail(status, kStepFork, program);
  StatusRecord started{};
  started.kind = StatusKind::kStarted;
  started.pid = program;
  sys::Write(status, &started, sizeof started);
  RunReaper(program, status);
}

}  // namespace mxc::sandbox
