#include "linux_runtime/relay/windows_mounts.h"

#include <linux/magic.h>
#include <linux/mount.h>

#include <algorithm>
#include <optional>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"
#include "shared/policy/path_tree.h"

namespace mxc::relay {
namespace {

constexpr uint64_t kNoLinks = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr size_t kMaxMountinfo = 16 << 20;

// What the kernel, WSL and Windows keep there is no data of the distribution's.
constexpr std::string_view kRefusedPlaces[] = {"/proc",    "/sys",      "/dev",  "/run",
                                               "/mnt/wsl", "/mnt/wslg", "/init", "/usr/lib/wsl"};

std::string Shown(std::string_view text) { return EscapeText(text, {.max_bytes = 400}); }

Result<std::vector<MountEntry>> ReadMounts() {
  const std::string what = "read /proc/self/mountinfo";
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY));
  if (!file.valid()) return sys::SystemError(what, -file.get());
  struct statfs system {};
  if (int error = sys::Fstatfs(file.get(), &system); error < 0) return sys::SystemError(what, -error);
  if (system.f_type != PROC_SUPER_MAGIC) return Error(Code::kRefused, what + ": /proc is not the kernel's");
  std::string text;
  char buffer[16384];
  for (;;) {
    const long count = sys::Read(file.get(), buffer, sizeof buffer);
    if (count < 0) return sys::SystemError(what, static_cast<int>(-count));
    if (count == 0) break;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kMaxMountinfo) return Error(Code::kRefused, what + ": more than 16 MiB of mounts");
  }
  return ParseMountinfo(text);
}

Result<uint64_t> MountIdOf(int fd, const std::string& shown) {
  struct statx found {};
  if (int error = sys::Statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &found); error < 0) {
    return sys::SystemError("look at " + shown, -error);
  }
  if ((found.stx_mask & STATX_MNT_ID) == 0) {
    return Error(Code::kUnsupported, "this kernel does not tell which mount a file lies on")
        .WithHint("update the kernel: wsl --update; Linux 5.8 is the first that does");
  }
  return found.stx_mnt_id;
}

int Open(int folder, const std::string& path, uint64_t flags, uint64_t resolve) {
  // EAGAIN: the kernel asks to try again, since names were changing.
  for (int attempt = 0;; ++attempt) {
    const int fd = sys::OpenAt2(folder, path.c_str(), O_PATH | flags, 0, resolve);
    if (fd != -EAGAIN || attempt == 1000) return fd;
  }
}

// Walks the components below `root` in one system call, so that nothing can change between two of them.
class Walk {
 public:
  Walk(int root, const std::vector<std::string>& components, uint64_t resolve, std::string shown)
      : root_(root),
        components_(components),
        resolve_(RESOLVE_BENEATH | kNoLinks | resolve),
        shown_(std::move(shown)) {}

  Result<OpenedPath> Run() const {
    OpenedPath opened;
    opened.shown = shown_;
    const int fd = Open(root_, Front(components_.size()), 0, resolve_);
    if (fd < 0) return Explain(-fd);
    opened.fd = sys::UniqueFd(fd);
    struct stat found {};
    if (int error = sys::Fstat(fd, &found); error < 0) return sys::SystemError("look at " + shown_, -error);
    opened.directory = S_ISDIR(found.st_mode);
    if (opened.directory || S_ISREG(found.st_mode)) return opened;
    return Error(Code::kRefused, shown_ + " is a socket, a pipe or a device").WithHint("grant folders and plain files");
  }

 private:
  std::string Front(size_t count) const {
    std::string path = count == 0 ? "." : components_[0];
    for (size_t i = 1; i < count; ++i) path += '/' + components_[i];
    return path;
  }

  // The component that the walk stops at, looked for again, for the message only.
  Error Explain(int error) const {
    size_t count = 1;
    while (count < components_.size()) {
      sys::UniqueFd fd(Open(root_, Front(count), 0, resolve_));
      if (!fd.valid()) break;
      ++count;
    }
    const std::string which =
        components_.empty() ? "its root"
                            : "component " + std::to_string(count) + ", \"" + Shown(components_[count - 1]) + "\",";
    switch (error) {
      case ELOOP:
        return Error(Code::kRefused, shown_ + ": " + which + " is a symbolic link")
            .WithHint("grant what the link leads to, by its own name");
      case EXDEV:
        return Error(Code::kRefused, shown_ + ": " + which + " has something else mounted on it")
            .WithHint("unmount it in the distribution (findmnt shows what it is), or grant another folder");
      case ENOENT:
      case ENOTDIR:
        return Error(Code::kNotFound, shown_ + ": " + which + " does not exist here").WithErrno(error);
      default:
        return sys::SystemError("open " + shown_ + ", " + which, error);
    }
  }

  int root_;
  const std::vector<std::string>& components_;
  uint64_t resolve_;
  std::string shown_;
};

// The drive's root, on the very mount that was found. Mounts come and go meanwhile: the open descriptor pins its mount,
// so what the table says of that id afterwards is about this mount.
Result<sys::UniqueFd> OpenDriveRoot(char drive, const MountTypes& types) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const MountEntry mount = MXC_TRY(FindDriveMount(MXC_TRY(ReadMounts()), drive, types.drive));
    sys::UniqueFd root(Open(AT_FDCWD, mount.mount_point, O_DIRECTORY, kNoLinks));
    if (root.get() == -ENOENT || root.get() == -ENOTDIR || root.get() == -ELOOP) continue;
    const std::string shown = Shown(mount.mount_point);
    if (!root.valid()) return sys::SystemError("open " + shown, -root.get());
    if (MXC_TRY(MountIdOf(root.get(), shown)) != mount.id) continue;
    const Result<MountEntry> again = FindDriveMount(MXC_TRY(ReadMounts()), drive, types.drive);
    if (again.ok() && *again == mount) return root;
  }
  return Error(Code::kRefused, std::string("the mount of drive ") + drive + ": keeps changing")
      .WithHint("see in /proc/self/mountinfo of the distribution who mounts there");
}

bool IsOneOf(const std::string& type, const std::vector<std::string>& types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

// The refused place that the path is or lies below; "" if none.
std::string_view RefusedPlaceOf(std::string_view path) {
  for (std::string_view place : kRefusedPlaces) {
    if (policy::IsWithin(path, place)) return place;
  }
  return "";
}

Result<void> CheckDistroMount(const OpenedPath& opened, const MountTypes& types) {
  const uint64_t id = MXC_TRY(MountIdOf(opened.fd.get(), opened.shown));
  const std::vector<MountEntry> mounts = MXC_TRY(ReadMounts());
  const MountEntry* mount = FindMount(mounts, id);
  const std::vector<const MountEntry*> chain =
      mount == nullptr ? std::vector<const MountEntry*>() : ChainOf(mounts, *mount);
  if (chain.empty()) {
    return Error(Code::kRefused, opened.shown + " lies on a mount that this process can't place");
  }
  const MountEntry* below = nullptr;
  for (const MountEntry* at : chain) {
    // What another root lies on whole (an initial ramdisk) is no part of the way.
    const bool whole = below != nullptr && at->mount_point == "/" && below->mount_point == "/";
    below = at;
    if (whole) continue;
    if (IsOneOf(at->type, types.drive)) {
      return Error(Code::kRefused, opened.shown + " lies on a drive of Windows, mounted at " + Shown(at->mount_point))
          .WithHint(R"(name it as Windows does, C:\folder)");
    }
    if (!IsOneOf(at->type, types.disk)) {
      return Error(Code::kRefused, opened.shown + " lies on a " + Shown(at->type) + " mounted at " +
                                       Shown(at->mount_point) + ", which is no file system of data")
          .WithHint("grant a folder of the distribution's own disk");
    }
  }
  if (mount->type != "tmpfs") return {};
  for (const MountEntry& other : mounts) {
    const bool same = other.major == mount->major && other.minor == mount->minor;
    if (same && !RefusedPlaceOf(other.mount_point).empty()) {
      return Error(Code::kRefused, opened.shown + " is another name of a part of " + Shown(other.mount_point));
    }
  }
  return {};
}

}  // namespace

Result<OpenedPath> OpenDrivePath(const policy::DrivePath& path, const MountTypes& types) {
  MXC_TRY(policy::CheckDrivePath(path));
  const std::string shown = Shown(policy::WindowsText(path));
  sys::UniqueFd root = MXC_TRY_AS(shown, OpenDriveRoot(path.drive, types));
  return Walk(root.get(), path.components, RESOLVE_NO_XDEV, shown).Run();
}

Result<OpenedPath> OpenDistroPath(const policy::DistroPath& path, const MountTypes& types) {
  const std::string shown = Shown(path.path);
  if (!policy::IsNormal(path.path))
    return Error(Code::kInvalid, "\"" + shown + "\" is no absolute path in normal form");
  if (path.path == "/") {
    return Error(Code::kRefused, "the whole root of the distribution is not granted").WithHint("name a folder in it");
  }
  if (std::string_view place = RefusedPlaceOf(path.path); !place.empty()) {
    return Error(Code::kRefused, shown + ": nothing below " + std::string(place) + " is granted by a path of Windows");
  }
  std::vector<std::string> components;
  for (size_t at = 1; at < path.path.size();) {
    const size_t end = std::min(path.path.find('/', at), path.path.size());
    components.push_back(path.path.substr(at, end - at));
    at = end + 1;
  }
  sys::UniqueFd root(Open(AT_FDCWD, "/", O_DIRECTORY, kNoLinks));
  if (!root.valid()) return sys::SystemError("open /", -root.get());
  OpenedPath opened = MXC_TRY(Walk(root.get(), components, 0, shown).Run());
  MXC_TRY(CheckDistroMount(opened, types));
  return opened;
}

Result<sys::UniqueFd> CloneMount(const OpenedPath& object, const CloneOptions& options) {
  const std::string what = "make a mount of " + object.shown;
  sys::UniqueFd mount(sys::OpenTree(object.fd.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (mount.get() == -EPERM) {
    return sys::SystemError(what, EPERM).WithHint("start the relay as root: wsl --user root");
  }
  if (!mount.valid()) return sys::SystemError(what, -mount.get());
  sys::MountAttr attr;
  attr.set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (options.readonly) attr.set |= MOUNT_ATTR_RDONLY;
  if (options.noexec) attr.set |= MOUNT_ATTR_NOEXEC;
  attr.propagation = MS_PRIVATE;
  if (int error = sys::MountSetattr(mount.get(), "", AT_EMPTY_PATH, attr); error < 0) {
    return sys::SystemError("set the attributes of a mount of " + object.shown, -error);
  }
  return mount;
}

}  // namespace mxc::relay
