#include "linux_runtime/sandbox/idmapped_mounts.h"

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

Result<sys::UniqueFd> OpenUserNamespace(int pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
  int user = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
  if (user < 0) return sys::SystemError("open " + path, -user);
  return sys::UniqueFd(user);
}

bool HasOwnMaps(const Plan& plan, const OwnedMount& mount) {
  if (mount.uid_map.empty()) return false;
  return !plan.parent_writes_maps || mount.uid_map != plan.uid_map || mount.gid_map != plan.gid_map;
}

Result<void> MapMount(const Plan& plan, const OwnedMount& mount, int user) {
  sys::MountAttr attr{MOUNT_ATTR_IDMAP, 0, 0, static_cast<uint64_t>(user)};
  int error = sys::MountSetattr(mount.fd, "", AT_EMPTY_PATH | (mount.below ? AT_RECURSIVE : 0), attr);
  if (error == 0) return {};
  if (plan.bundle.wanted) {
    return Error(Code::kUnsupported, "idmap the mount on " + mount.path + ": " + sys::ErrnoName(-error))
        .WithErrno(-error)
        .WithHint("its file system, or one mounted below, can't be idmapped by this kernel");
  }
  return Error(Code::kUnsupported,
               "show the files of " + mount.path + " as the caller's own (idmapped mount): " + sys::ErrnoName(-error))
      .WithErrno(-error)
      .WithHint(
          "its file system, or one mounted below, can't be idmapped; start mxc as an ordinary user, or set "
          "x-linux.identity to \"host-root\", which is weaker");
}

// The ids on disk are the caller's, those that the mount shows the container's. Where both count alike, or where the
// mount goes by the container's maps, its own user namespace says so already.
Result<sys::UniqueFd> NamespaceOf(const Plan& plan, const OwnedMount& mount, int pid) {
  if (HasOwnMaps(plan, mount)) return MakeUserNamespace(MapText(mount.uid_map), MapText(mount.gid_map));
  if (!mount.uid_map.empty() || (plan.uid == plan.disk_uid && plan.gid == plan.disk_gid)) return OpenUserNamespace(pid);
  return MakeUserNamespace(MapText({{plan.disk_uid, plan.uid_map[0].outside, 1}}),
                           MapText({{plan.disk_gid, plan.gid_map[0].outside, 1}}));
}

}  // namespace

std::string MapText(const std::vector<IdRange>& map) {
  std::string text;
  for (const IdRange& range : map) {
    text +=
        std::to_string(range.inside) + " " + std::to_string(range.outside) + " " + std::to_string(range.count) + "\n";
  }
  return text;
}

Result<void> WriteProc(int pid, const char* file, const std::string& text) {
  std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY));
  if (!fd.valid()) return sys::SystemError("open " + path, -fd.get());
  long written = sys::Write(fd.get(), text.data(), text.size());
  if (written < 0)
    return sys::SystemError("write \"" + text.substr(0, text.find('\n')) + "\" to " + path, static_cast<int>(-written));
  return {};
}

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

Result<void> MapMounts(const Plan& plan, int pid) {
  sys::UniqueFd user;
  const OwnedMount* before = nullptr;  // the mount that `user` was made for: most have the same maps
  for (const OwnedMount& mount : plan.prepared) {
    if (HasOwnMaps(plan, mount) != (pid < 0)) continue;
    if (before == nullptr || before->uid_map != mount.uid_map || before->gid_map != mount.gid_map) {
      user = MXC_TRY(NamespaceOf(plan, mount, pid));
      before = &mount;
    }
    MXC_TRY(MapMount(plan, mount, user.get()));
  }
  return {};
}

}  // namespace mxc::sandbox
