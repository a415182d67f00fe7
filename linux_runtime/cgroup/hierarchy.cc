#include "linux_runtime/cgroup/hierarchy.h"

#include <sys/xattr.h>
#include <unistd.h>

#include "linux_runtime/cgroup/directory.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

constexpr Controllers kBasic = kMemory | kPids | kCpu;
constexpr char kOurGroup[] = "mxc";

// Also false on a read-only mount, where even root gets EROFS.
bool Writable(const std::string& path) { return ::faccessat(AT_FDCWD, path.c_str(), W_OK, 0) == 0; }

bool DelegatedBySystemd(const std::string& path) {
  char value = 0;
  return ::getxattr(path.c_str(), "trusted.delegate", &value, 1) == 1 && value == '1';
}

Controllers ReadControllers(const Directory& directory, const char* file) {
  auto text = directory.Read(file);
  return text ? ParseControllers(*text) : 0;
}

}  // namespace

Hierarchy Hierarchy::Probe() {
  return From(ParseLayout(ReadProc("/proc/self/mountinfo"), ReadProc("/proc/self/cgroup")), ::geteuid());
}

Hierarchy Hierarchy::From(const Layout& layout, uid_t euid, int extra_flags) {
  Hierarchy hierarchy;
  hierarchy.layout_ = layout;
  hierarchy.extra_flags_ = extra_flags;
  switch (layout.version) {
    case Version::kNone:
      hierarchy.why_not_ = "no cgroup file system is mounted; mount one at /sys/fs/cgroup";
      break;
    case Version::kV1:
    case Version::kHybrid:
      hierarchy.FindV1();
      break;
    case Version::kV2:
      hierarchy.FindV2(euid);
      break;
  }
  return hierarchy;
}

void Hierarchy::FindV1() {
  Controllers seen = 0;
  std::string denied;
  for (const OwnGroup& own : layout_.v1) {
    seen |= own.controllers;
    if (Writable(own.path)) {
      available_ |= own.controllers;
    } else if ((own.controllers & kBasic) != 0) {
      denied = own.path;
    }
  }
  Controllers missing = kBasic & ~available_;
  if (missing == 0) return;
  if (!denied.empty()) {
    why_not_ =
        "no delegation: " + denied + " can't be written by this user; run as root, or boot with cgroup v2 and systemd";
  } else if (!layout_.unreachable.empty()) {
    why_not_ = "the mounts of " + layout_.unreachable +
               " don't show the caller's own group (a container's view); mount its cgroups";
  } else {
    why_not_ = "this kernel or host has no cgroup controller " + ControllerNames(missing & ~seen);
  }
}

bool Hierarchy::TryV2Parent(const std::string& path) {
  auto directory = Directory::Open(path);
  if (!directory) return false;
  available_ = ReadControllers(*directory, "cgroup.subtree_control");
  Controllers offered = ReadControllers(*directory, "cgroup.controllers");
  if ((offered & ~available_) != 0) {
    // The root of the whole tree, which has no cgroup.type, may hold processes and still hand on its controllers.
    bool free = !directory->Has("cgroup.type");
    if (!free) {
      auto processes = directory->Processes();
      free = processes && processes->empty();
    }
    if (free && ::faccessat(directory->fd(), "cgroup.subtree_control", W_OK, 0) == 0) available_ = offered;
  }
  if (available_ == 0) return false;
  v2_parent_ = path;
  return true;
}

void Hierarchy::FindV2(uid_t euid) {
  const std::string& mount = layout_.v2_mount;
  if (layout_.v2_own.empty()) {
    why_not_ =
        "the cgroup mount at " + mount + " does not show the caller's own group; mount it inside this cgroup namespace";
    return;
  }
  auto ancestors = [&](auto accept) {
    std::string path = layout_.v2_own;
    while (path.size() > mount.size()) {
      path.resize(path.rfind('/'));
      if (path.size() <= mount.size()) return false;
      if (accept(path) && TryV2Parent(path)) return true;
    }
    return false;
  };
  bool found = false;
  if (euid == 0) {
    found = ancestors(DelegatedBySystemd);
    if (!found && Writable(mount) && TryV2Parent(mount)) {
      v2_make_ = kOurGroup;
      found = true;
    }
  }
  if (!found)
    found = ancestors([](const std::string& path) { return Writable(path) && Writable(path + "/cgroup.procs"); });
  Controllers missing = kBasic & ~available_;
  if (missing == 0) return;
  if (found) {
    why_not_ = v2_parent_ + " does not hand on " + ControllerNames(missing) +
               "; enable it in the cgroup.subtree_control above" +
               " (systemd: Delegate=cpu memory pids for user@.service)";
  } else if (euid == 0) {
    why_not_ = "no delegation: " + mount +
               " can't be written, or holds processes itself (as in a container) so that it can't " +
               "hand on controllers; run in a systemd scope with Delegate=yes";
  } else {
    bool systemd = ::access("/run/systemd/system", F_OK) == 0;
    why_not_ = "no delegation: no group above " + layout_.v2_own + " can be written by this user; " +
               (systemd ? "start by 'systemd-run --user --scope -p Delegate=yes COMMAND'"
                        : "run as root, or with systemd (WSL: systemd=true under [boot] in /etc/wsl.conf)");
  }
}

}  // namespace mxc::cgroup
