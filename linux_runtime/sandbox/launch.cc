#include "linux_runtime/sandbox/launch.h"

#include <stdlib.h>
#include <string.h>

#include <span>

#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/parent_process.h"
#include "linux_runtime/sandbox/process_errors.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/pass_descriptor.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

std::string MapText(const std::vector<IdRange>& map) {
  std::string text;
  for (const IdRange& range : map) {
    text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " + std::to_string(range.count) + "\n";
  }
  return text;
}

Result<void> WriteProc(int pid, const char* file, const std::string& text) {
  std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY));
  if (!fd.valid()) return sys::SystemError("open " + path, -fd.get());
  long written = sys::Write(fd.get(), text.data(), text.size());
  if (written < 0) return sys::SystemError("write \"" + text.substr(0, text.find('\n')) + "\" to " + path, static_cast<int>(-written));
  return {};
}

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

Result<sys::UniqueFd> OpenUserNamespace(int pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
  int user = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
  if (user < 0) return sys::SystemError("open " + path, -user);
  return sys::UniqueFd(user);
}

// A user namespace with the given maps and nobody in it.
Result<sys::UniqueFd> MakeUserNamespace(const std::string& uid_map, const std::string& gid_map) {
  sys::CloneArgs args{};
  args.flags = CLONE_NEWUSER;
  args.exit_signal = SIGCHLD;
  pid_t holder = sys::Clone3(&args);
  if (holder < 0) return sys::SystemError("make a user namespace for idmapped mounts", -holder);
  if (holder == 0) {
    sys::Prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  auto make = [&]() -> Result<sys::UniqueFd> {
    MXC_TRY(WriteProc(holder, "uid_map", uid_map));
    MXC_TRY(WriteProc(holder, "gid_map", gid_map));
    return OpenUserNamespace(holder);
  };
  Result<sys::UniqueFd> made = make();
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  return made;
}

// The ids on disk are the caller's, those that the mount shows the container's. Where both count alike, the container's
// own user namespace says so already.
Result<void> MapMounts(const Plan& plan, int pid) {
  if (plan.prepared.empty()) return {};
  sys::UniqueFd user;
  if (plan.uid == plan.disk_uid && plan.gid == plan.disk_gid) {
    user = MXC_TRY(OpenUserNamespace(pid));
  } else {
    user = MXC_TRY(MakeUserNamespace(MapText({{plan.disk_uid, plan.uid_map[0].outside, 1}}),
                                     MapText({{plan.disk_gid, plan.gid_map[0].outside, 1}})));
  }
  for (const OwnedMount& mount : plan.prepared) {
    sys::MountAttr attr{MOUNT_ATTR_IDMAP, 0, 0, static_cast<uint64_t>(user.get())};
    int error = sys::MountSetattr(mount.fd, "", AT_EMPTY_PATH | AT_RECURSIVE, attr);
    if (error == 0) continue;
    return Error(Code::kUnsupported, "show the files of " + mount.path + " as the caller's own (idmapped mount): " +
                                         sys::ErrnoName(-error))
        .WithErrno(-error)
        .WithHint("its file system, or one mounted below, can't be idmapped; start mxc as an ordinary user, or set "
                  "x-linux.identity to \"host-root\", which is weaker");
  }
  return {};
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

// A folder as stdin, stdout or stderr would be a door: openat(0, "..") leads out of the sandbox.
Result<void> CheckStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat found;
    int error = sys::Fstat(fd, &found);
    if (error == -EBADF) {
      int null = ::open("/dev/null", O_RDWR);
      if (null != fd) return Error(Code::kSystem, "descriptor " + std::to_string(fd) + " is closed and /dev/null can't take its place");
      continue;
    }
    int flags = ::fcntl(fd, F_GETFL);
    if (S_ISDIR(found.st_mode) || (flags & O_PATH) != 0) {
      return Error(Code::kRefused, "descriptor " + std::to_string(fd) + " is a folder of the host: the program could walk out through it")
          .WithHint("redirect it from or to a file, a pipe or /dev/null");
    }
  }
  return {};
}

}  // namespace

Result<Launched> Launch(Plan& plan, const ArgvArea& argv) {
  if (!Without("streams")) MXC_TRY(CheckStandardStreams());
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

  int pidfd = -1;
  sys::CloneArgs args{};
  args.flags = plan.namespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (plan.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(plan.cgroup_fd);
  }
  // The child keeps every signal blocked until just before exec; the parent gets its mask back at once.
  sigset_t every, before;
  sigfillset(&every);
  ::sigprocmask(SIG_SETMASK, &every, &before);
  pid_t pid = sys::Clone3(&args);
  if (pid == 0) {
    launched.parent.reset();
    RunChild(plan, {status_write.get(), child_end.get()}, argv);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return CloneError(plan, -pid);
  launched.pid = pid;
  launched.pidfd = sys::UniqueFd(pidfd);
  status_write.reset();
  child_end.reset();

  auto finish = [&]() -> Result<void> {
    if (!plan.parent_writes_maps && !plan.process.needs_parent()) return {};
    if (plan.parent_writes_maps) {
      MXC_TRY(WriteMaps(plan, pid));
      MXC_TRY(MapMounts(plan, pid));
    }
    MXC_TRY(ApplyFromOutside(plan, pid));
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
  char here;
  long count;
  while ((count = sys::Read(parent.get(), &here, 1)) == -EINTR) {
  }
  return count == 1;
}

Result<void> Launched::Continue() {
  char go = 1;
  long sent = sys::Check(::send(parent.get(), &go, 1, MSG_NOSIGNAL));
  // Gone already: the status pipe says why.
  if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET) {
    return sys::SystemError("let the container's first process go on", static_cast<int>(-sent));
  }
  return {};
}

void Launched::ReceiveConsole() {
  if (int fd = sys::ReceiveDescriptor(parent.get()); fd >= 0) console.reset(fd);
}

sys::UniqueFd Launched::ReceiveListener() { return sys::UniqueFd(sys::ReceiveDescriptor(parent.get())); }

Error StepError(const Plan& plan, uint32_t step, int error) {
  if (step < plan.steps.size()) {
    const Step& failed = plan.steps[step];
    Error described = sys::SystemError(FormatStep(failed), error);
    std::string place = " (step " + std::to_string(step + 1) + " of " + std::to_string(plan.steps.size()) + ")";
    Error whole = Error(Code::kSystem, described.message() + place).WithErrno(error);
    if (failed.op == Op::kProc && error == EPERM) {
      return std::move(whole).WithHint("parts of /proc are covered where mxc runs (inside another container?), and the "
                                       "kernel then gives no new one; run mxc outside, or as root");
    }
    if (error == ESTALE) {
      return std::move(whole).WithHint("the object was replaced by another one while the sandbox was being set up; run it again");
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
