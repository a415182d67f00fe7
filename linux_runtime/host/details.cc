#include "linux_runtime/host/details.h"

#include <errno.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_runtime/host/texts.h"
#include "linux_runtime/network/probe.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::host {
namespace {

bool Has(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Ubuntu's AppArmor lets the namespace be made and takes the rights away, so one of them is used.
int TryUserNamespace() {
  sys::CloneArgs args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWUTS;
  args.exit_signal = SIGCHLD;
  pid_t pid = sys::Clone3(&args);
  if (pid < 0) return -pid;
  if (pid == 0) ::_exit(-sys::SetHostname("mxc", 3) & 0xff);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

// On a file of our own that nobody else opens, so that no one is held back.
bool TryFanotifyPermission() {
  sys::UniqueFd file(static_cast<int>(::memfd_create("mxc-doctor", MFD_CLOEXEC)));
  sys::UniqueFd watch(::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY));
  if (!file.valid() || !watch.valid()) return false;
  std::string path = "/proc/self/fd/" + std::to_string(file.get());
  return ::fanotify_mark(watch.get(), FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path.c_str()) == 0;
}

uint64_t CountSubids(const char* path, const translate::CallerFacts& caller) {
  uint64_t count = 0;
  if (auto text = ReadText(path)) {
    for (const auto& [first, size] : FindSubids(*text, caller.user, caller.uid)) count += size;
  }
  return count;
}

std::optional<bool> SwapAccounting(const cgroup::Hierarchy& hierarchy) {
  if (hierarchy.version() == cgroup::Version::kV2) {
    // The root of the tree has no such file; any group below it does.
    if (Has(hierarchy.layout().v2_own + "/memory.max")) return Has(hierarchy.layout().v2_own + "/memory.swap.max");
    return std::nullopt;
  }
  for (const cgroup::OwnGroup& own : hierarchy.layout().v1) {
    if ((own.controllers & cgroup::kMemory) != 0) return Has(own.path + "/memory.memsw.limit_in_bytes");
  }
  return std::nullopt;
}

}  // namespace

Details ProbeDetails(const translate::HostFacts& facts, const cgroup::Hierarchy& hierarchy) {
  Details details;
  utsname name{};
  if (::uname(&name) == 0) details.release = name.release;
  details.wsl1 = IsWsl1Kernel(details.release);
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"}) {
    if (!Has(std::string("/proc/self/ns/") + kind)) details.missing_namespaces.push_back(kind);
  }
  details.user_namespace_errno = TryUserNamespace();
  details.user_namespaces_off = ReadInteger("/proc/sys/user/max_user_namespaces").value_or(0) <= 0;
  details.user_namespaces_root_only = ReadInteger("/proc/sys/kernel/unprivileged_userns_clone").value_or(1) == 0;
  details.apparmor_restricts = ReadInteger("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").value_or(0) != 0;
  if (auto actions = ReadText("/proc/sys/kernel/seccomp/actions_avail")) {
    details.seccomp = actions->find("errno") != std::string::npos;
    details.seccomp_log = actions->find("log") != std::string::npos;
  }
  details.lsms = ReadText("/sys/kernel/security/lsm").value_or("");
  while (!details.lsms.empty() && details.lsms.back() == '\n') details.lsms.pop_back();
  details.has_newidmap = Has("/usr/bin/newuidmap") && Has("/usr/bin/newgidmap");
  details.sub_uids = CountSubids("/etc/subuid", facts.caller);
  details.sub_gids = CountSubids("/etc/subgid", facts.caller);
  details.fanotify_permission = facts.root && TryFanotifyPermission();
  if (facts.root || facts.user_namespaces) details.network_lacks = network::MissingForNetworks();
  details.cgroup_why_not = hierarchy.why_not();
  details.swap_accounting = SwapAccounting(hierarchy);
  std::string groups = ReadText("/etc/group").value_or("");
  for (uint32_t gid : facts.caller.groups) {
    std::string group = FindGroup(groups, gid);
    // Root has everything that a group could give.
    if (std::string_view danger = DangerOfGroup(group); !danger.empty() && facts.caller.uid != 0) {
      details.dangerous_groups.emplace_back(group, danger);
    }
  }
  details.wsl_interop = Has("/run/WSL") &&
                        (Has("/proc/sys/fs/binfmt_misc/WSLInterop") || Has("/proc/sys/fs/binfmt_misc/WSLInterop-late"));
  details.wsl_gpu = Has("/dev/dxg");
  details.vsock = sys::UniqueFd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0)).valid();
  return details;
}

}  // namespace mxc::host
