#include "linux_runtime/sandbox/launch.h"

#include <stdlib.h>
#include <string.h>

#include <span>

#include "linux_runtime/sandbox/apply_process.h"
#include "linux_runtime/sandbox/idmapped_mounts.h"
#include "linux_runtime/sandbox/mount_errors.h"
#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/parent_process.h"
#include "linux_runtime/sandbox/process_errors.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

// newuidmap PID INSIDE OUTSIDE COUNT … (shadow-utils): maps what /etc/subuid gives the caller.
Result<void> RunIdMapper(const char* program, int pid, const std::vector<IdRange>& map) {
  std::vector<std::string> arguments{program, std::to_string(pid)};
  for (const IdRange& range : map) {
    for (uint32_t number : {range.inside, range.outside, range.count}) arguments.push_back(std::to_string(number));
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = sys::Fork();
  if (child < 0) return sys::SystemError(std::string("start ") + program, -child);
  if (child == 0) {
    char* const none[] = {nullptr};
    for (const char* folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
      ::execve((std::string(folder) + program).c_str(), argv.data(), none);
    }
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return Error(Code::kUnsupported, std::string(program) + " is not installed, and several ids are asked for")
        .WithHint("install the package uidmap, or map one id only");
  }
  return Error(Code::kUnsupported, std::string(program) + " refused the id map")
      .WithHint("give the user a range in /etc/subuid and /etc/subgid that covers it");
}

Result<void> WriteMaps(const Plan& plan, int pid) {
  if (plan.use_newidmap) {
    MXC_TRY(RunIdMapper("newuidmap", pid, plan.uid_map));
    return RunIdMapper("newgidmap", pid, plan.gid_map);
  }
  MXC_TRY(WriteProc(pid, "uid_map", MapText(plan.uid_map)));
  return WriteProc(pid, "gid_map", MapText(plan.gid_map));
}

Error CloneError(const Plan& plan, int error) {
  Error failure = sys::SystemError("create the container's namespaces", error);
  if ((plan.namespaces & CLONE_NEWUSER) != 0 && (error == EPERM || error == ENOSPC)) {
    return std::move(failure).WithHint(
        "user namespaces are switched off or used up here: see `mxc doctor`, sysctl user.max_user_namespaces, "
        "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns");
  }
  return failure;
}

struct Cloned {
  pid_t pid = -1;  // or -errno
  sys::UniqueFd pidfd;
};

Cloned Clone(const Plan& plan, const ChildDescriptors& descriptors, sys::UniqueFd& parent, const ArgvArea& argv) {
  Cloned cloned;
  int pidfd = -1;
  sys::CloneArgs args{};
  args.flags = plan.namespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (plan.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(plan.cgroup_fd);
  }
  cloned.pid = sys::Clone3(&args);
  if (cloned.pid == 0) {
    parent.reset();
    RunChild(plan, descriptors, argv);
  }
  cloned.pidfd.reset(pidfd);
  return cloned;
}

// The intermediate process: joins, then makes the container's first process as its sibling (CLONE_PARENT), and tells its
// pid. It copies the parent's memory and must not be seen from inside (CVE-2016-9962).
[[noreturn]] void JoinAndClone(const Plan& plan, const ChildDescriptors& descriptors, int pid_pipe,
                               const ArgvArea& argv) {
  auto check = [&](size_t index, int error) {
    if (error >= 0) return;
    StatusRecord record{};
    record.kind = StatusKind::kFailed;
    record.step = kStepJoin;
    record.error = -error;
    record.pid = static_cast<int32_t>(index);
    sys::Write(descriptors.status, &record, sizeof record);
    ::_exit(125);
  };
  const std::vector<JoinedNamespace>& joins = plan.bundle.joins;
  uint32_t step = 0;
  if (int error = PrepareToJoin(plan, &step); error < 0) Fail(descriptors.status, step, error);
  check(joins.size(), sys::Prctl(PR_SET_DUMPABLE, 0));
  for (int fd : plan.bundle.join_cgroup) check(joins.size(), static_cast<int>(sys::Write(fd, "0", 1)));
  // First with the caller's rights, which reach namespaces that the user namespace doesn't own; what they don't reach, and the view of
  // the files, after the user namespace and with the rights that it gives.
  uint64_t joined = 0;
  auto join = [&](size_t index) { return sys::SetNs(joins[index].fd, static_cast<int>(joins[index].type)); };
  for (size_t index = 0; index < joins.size(); ++index) {
    if ((joins[index].type & (CLONE_NEWUSER | CLONE_NEWNS)) != 0) continue;
    const int error = join(index);
    if (error == -EPERM) continue;
    check(index, error);
    joined |= joins[index].type;
  }
  for (size_t index = 0; index < joins.size(); ++index) {
    if ((joined & joins[index].type) == 0) check(index, join(index));
  }
  sys::CloneArgs args{};
  args.flags = plan.namespaces | CLONE_PARENT;
  const pid_t pid = sys::Clone3(&args);
  if (pid == 0) {
    sys::Close(pid_pipe);
    RunChild(plan, descriptors, argv);
  }
  check(joins.size(), pid);
  sys::Write(pid_pipe, &pid, sizeof pid);
  ::_exit(0);
}

Cloned CloneThroughJoins(const Plan& plan, const ChildDescriptors& descriptors, sys::UniqueFd& parent,
                         const ArgvArea& argv) {
  Cloned cloned;
  int pid_pipe[2];
  if (::pipe2(pid_pipe, O_CLOEXEC) != 0) {
    cloned.pid = -errno;
    return cloned;
  }
  sys::UniqueFd pid_read(pid_pipe[0]), pid_write(pid_pipe[1]);
  const pid_t joiner = sys::Fork();
  if (joiner == 0) {
    parent.reset();
    pid_read.reset();
    JoinAndClone(plan, descriptors, pid_write.get(), argv);
  }
  if (joiner < 0) {
    cloned.pid = joiner;
    return cloned;
  }
  pid_write.reset();
  if (sys::Read(pid_read.get(), &cloned.pid, sizeof cloned.pid) != sizeof cloned.pid) cloned.pid = -ECHILD;
  while (::waitpid(joiner, nullptr, 0) < 0 && errno == EINTR) {
  }
  // Our child, not waited for: the number is still its own.
  if (cloned.pid > 0) cloned.pidfd.reset(sys::PidfdOpen(cloned.pid));
  return cloned;
}

Error JoinError(const Plan& plan, int status, int error) {
  StatusRecord record{};
  if (sys::Read(status, &record, sizeof record) != sizeof record) {
    return sys::SystemError("make the container's first process", error);
  }
  if (record.step != kStepJoin) return StepError(plan, record.step, record.error);
  const std::vector<JoinedNamespace>& joins = plan.bundle.joins;
  const auto index = static_cast<size_t>(record.pid);
  if (index >= joins.size()) return CloneError(plan, record.error);
  return sys::SystemError(std::string("join the ") + joins[index].name + " namespace", record.error);
}

// A folder as stdin, stdout or stderr would be a door: openat(0, "..") leads out of the sandbox.
Result<void> CheckStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat found;
    int error = sys::Fstat(fd, &found);
    if (error == -EBADF) {
      int null = ::open("/dev/null", O_RDWR);
      if (null != fd)
        return Error(Code::kSystem,
                     "descriptor " + std::to_string(fd) + " is closed and /dev/null can't take its place");
      continue;
    }
    int flags = ::fcntl(fd, F_GETFL);
    if (S_ISDIR(found.st_mode) || (flags & O_PATH) != 0) {
      return Error(Code::kRefused, "descriptor " + std::to_string(fd) +
                                       " is a folder of the host: the program could walk out through it")
          .WithHint("redirect it from or to a file, a pipe or /dev/null");
    }
  }
  return {};
}

}  // namespace

Result<Launched> Launch(Plan& plan, const ArgvArea& argv, const AttachNetwork& attach) {
  if (!plan.network.empty() && !attach) return Error(Code::kInternal, "nothing here enforces the plan's network rules");
  if (!Without("streams")) MXC_TRY(CheckStandardStreams());
  MXC_TRY(MapMounts(plan, -1));
  int status[2], parent[2];
  if (::pipe2(status, O_CLOEXEC) != 0) return sys::SystemError("make the status pipe", errno);
  sys::UniqueFd status_read(status[0]), status_write(status[1]);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, parent) != 0) {
    return sys::SystemError("make the pair of sockets to the container", errno);
  }
  Launched launched;
  launched.status = std::move(status_read);
  launched.parent = sys::UniqueFd(parent[0]);
  sys::UniqueFd child_end(parent[1]);

  // The child keeps every signal blocked until just before exec; the parent gets its mask back at once.
  sigset_t every, before;
  sigfillset(&every);
  ::sigprocmask(SIG_SETMASK, &every, &before);
  const ChildDescriptors descriptors{status_write.get(), child_end.get()};
  Cloned cloned = plan.bundle.joins.empty() ? Clone(plan, descriptors, launched.parent, argv)
                                            : CloneThroughJoins(plan, descriptors, launched.parent, argv);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  const pid_t pid = cloned.pid;
  status_write.reset();
  child_end.reset();
  if (pid < 0) {
    if (!plan.bundle.joins.empty()) return JoinError(plan, launched.status.get(), -pid);
    return CloneError(plan, -pid);
  }
  launched.pid = pid;
  launched.pidfd = std::move(cloned.pidfd);

  auto finish = [&]() -> Result<void> {
    if (!plan.parent_writes_maps && !plan.process.needs_parent() && plan.network.empty()) return {};
    if (plan.parent_writes_maps) {
      MXC_TRY(WriteMaps(plan, pid));
      MXC_TRY(MapMounts(plan, pid));
    }
    MXC_TRY(ApplyFromOutside(plan, pid));
    if (!plan.network.empty()) MXC_TRY(attach(pid));
    return launched.Continue();
  };
  Result<void> finished = finish();
  if (!finished.ok()) {
    sys::PidfdSendSignal(launched.pidfd.get(), SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::move(finished).error();
  }
  return launched;
}

bool Launched::AwaitRoot() {
  Word word{};
  int fd = -1;
  return Hear(parent.get(), &word, &fd) == 0 && word == Word::kRootStands;
}

Result<void> Launched::Continue() {
  int error = Tell(parent.get(), Word::kGo);
  // Gone already: the status pipe says why.
  if (error < 0 && error != -EPIPE && error != -ECONNRESET) {
    return sys::SystemError("let the container's first process go on", -error);
  }
  return {};
}

void Launched::ReceiveConsole() {
  Word word{};
  int fd = -1;
  if (Hear(parent.get(), &word, &fd) == 0 && word == Word::kConsole) console.reset(fd);
}

Error StepError(const Plan& plan, uint32_t step, int error) {
  if (step < plan.steps.size()) {
    const Step& failed = plan.steps[step];
    Error described = sys::SystemError(FormatStep(failed), error);
    std::string place = " (step " + std::to_string(step + 1) + " of " + std::to_string(plan.steps.size()) + ")";
    Error whole = Error(Code::kSystem, described.message() + place).WithErrno(error);
    if (const char* hint = MountHint(failed, error); hint != nullptr) return std::move(whole).WithHint(hint);
    if (error == ESTALE) {
      return std::move(whole).WithHint(
          "the object was replaced by another one while the sandbox was being set up; run it again");
    }
    if (error == ENOSPC && (failed.op == Op::kNewRoot || failed.op == Op::kBind)) {
      return std::move(whole).WithHint("too many mounts: see sysctl fs.mount-max");
    }
    return whole;
  }
  if (plan.process.exact) {
    if (std::optional<Error> described = ProcessStepError(plan, step, error)) return *std::move(described);
  }
  std::string program = plan.argv.empty() || plan.argv[0] == nullptr ? "" : plan.argv[0];
  switch (step) {
    case kStepExec:
      if (error == ENOENT) {
        return Error(Code::kNotFound, "run " + program + ": there is no such program inside the sandbox")
            .WithErrno(error)
            .WithHint("grant the folder it lies in as a readonly path, or give its full path");
      }
      return sys::SystemError("run " + program + " inside the sandbox", error);
    case kStepChdir:
      return sys::SystemError("change to the folder " + std::string(plan.cwd) + " inside the sandbox", error)
          .WithHint("grant it, or set process.cwd to a folder that is granted");
    case kStepFork:
      return sys::SystemError("start the program's process", error).WithHint("the limit of processes may be too low");
    case kStepNotDumpable:
    case kStepCapabilities:
      return sys::SystemError("drop privileges", error);
    case kStepNoNewPrivileges:
      return sys::SystemError("set no_new_privs", error);
    case kStepLandlock:
      return sys::SystemError("apply the Landlock rules", error);
    case kStepConsole:
      return sys::SystemError("open a terminal inside the sandbox", error);
    case kStepDescriptors:
      return sys::SystemError("close inherited descriptors", error);
    case kStepSeccomp:
      return sys::SystemError("install the system call filter", error);
    case kStepReady:
      return sys::SystemError("wait for the start of the container", error);
    default:
      break;
  }
  if (step >= kStepRlimitBase) {
    std::string name(RlimitName(static_cast<int>(step - kStepRlimitBase)));
    return sys::SystemError("set the limit " + name, error);
  }
  return sys::SystemError("set up the sandbox", error);
}

}  // namespace mxc::sandbox
