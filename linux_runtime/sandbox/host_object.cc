#include "linux_runtime/sandbox/host_object.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

Result<std::string> DescriptorPath(int fd) {
  std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::string path(4096, '\0');
  ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  if (size < 0) return sys::SystemError("read " + link, errno);
  path.resize(static_cast<size_t>(size));
  return path;
}

std::string Unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 3 < text.size()) {
      plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

// Absolute, without "." and "..", and without a slash too many.
bool IsNormal(const std::string& path) {
  return path.starts_with('/') && path.find("//") == std::string::npos &&
         (path + "/").find("/./") == std::string::npos && (path + "/").find("/../") == std::string::npos &&
         (path.size() == 1 || !path.ends_with('/'));
}

// The fields: id, parent, major:minor, root, mount point, …
std::optional<HostMount> ParseMount(std::string_view line) {
  std::string_view fields[5];
  for (std::string_view& field : fields) {
    size_t end = line.find(' ');
    if (end == std::string_view::npos) return std::nullopt;
    field = line.substr(0, end);
    line.remove_prefix(end + 1);
  }
  unsigned major = 0, minor = 0;
  auto [colon, error] = std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), major);
  if (error != std::errc() || *colon != ':') return std::nullopt;
  std::from_chars(colon + 1, fields[2].data() + fields[2].size(), minor);
  return HostMount{makedev(major, minor), Unescape(fields[3]), Unescape(fields[4])};
}

}  // namespace

namespace {

// The mount that the canonical path goes through: the longest, last one.
const HostMount* HomeOf(const HostObject& object, const std::vector<HostMount>& mounts) {
  const HostMount* home = nullptr;
  for (const HostMount& mount : mounts) {
    if (!IsBelow(mount.mount_point, object.canonical)) continue;
    if (home == nullptr || mount.mount_point.size() >= home->mount_point.size()) home = &mount;
  }
  return home;
}

}  // namespace

bool HostObject::directory() const { return S_ISDIR(mode); }
bool HostObject::regular() const { return S_ISREG(mode); }

Error MissingObject(const std::string& path, int system_errno) {
  return Error(Code::kNotFound, path + ": no such file or folder").WithErrno(system_errno);
}

namespace {

Result<void> Describe(HostObject& object) {
  struct stat found;
  if (int error = sys::Fstat(object.fd.get(), &found); error < 0) return sys::SystemError("look at it", -error);
  object.device = found.st_dev;
  object.inode = found.st_ino;
  object.mode = found.st_mode;
  object.links = found.st_nlink;
  return {};
}

Result<HostObject> Open(const std::string& path, uint64_t nofollow, bool* through_link) {
  HostObject object;
  // Most paths lead over no link, and are then their own canonical form.
  int fd = sys::OpenAt2(AT_FDCWD, path.c_str(), O_PATH | nofollow, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  if (fd >= 0 && IsNormal(path)) object.canonical = path;
  if (fd == -ELOOP || nofollow != 0) {
    object.through_link = fd == -ELOOP;
    if (through_link != nullptr) *through_link = object.through_link;
    char target[4096];
    ssize_t size = ::readlink(path.c_str(), target, sizeof target);
    if (size > 0) object.link_target.assign(target, static_cast<size_t>(size));
  }
  if (fd == -ELOOP) fd = sys::OpenAt2(AT_FDCWD, path.c_str(), O_PATH | nofollow, 0, RESOLVE_NO_MAGICLINKS);
  if (fd == -ENOENT || fd == -ENOTDIR) return MissingObject(path, -fd);
  if (fd < 0) return sys::SystemError("open " + path, -fd);
  object.fd = sys::UniqueFd(fd);
  if (object.canonical.empty()) object.canonical = MXC_TRY(DescriptorPath(fd));
  MXC_TRY_AS(path, Describe(object));
  return object;
}

}  // namespace

Result<HostObject> HostObjectOf(sys::UniqueFd fd) {
  HostObject object;
  object.canonical = MXC_TRY(DescriptorPath(fd.get()));
  object.fd = std::move(fd);
  MXC_TRY_AS(object.canonical, Describe(object));
  return object;
}

Result<HostObject> OpenHostObject(const std::string& path, bool* through_link) { return Open(path, 0, through_link); }

Result<HostObject> OpenHostLink(const std::string& path) { return Open(path, O_NOFOLLOW, nullptr); }

Result<std::vector<HostMount>> ReadHostMounts() {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY));
  if (!file.valid()) return sys::SystemError("open /proc/self/mountinfo", -file.get());
  std::string text;
  char buffer[16384];
  for (;;) {
    long count = sys::Read(file.get(), buffer, sizeof buffer);
    if (count < 0) return sys::SystemError("read /proc/self/mountinfo", static_cast<int>(-count));
    if (count == 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  std::vector<HostMount> mounts;
  for (size_t start = 0; start < text.size();) {
    size_t end = std::min(text.find('\n', start), text.size());
    if (auto mount = ParseMount(std::string_view(text).substr(start, end - start))) mounts.push_back(std::move(*mount));
    start = end + 1;
  }
  return mounts;
}

std::vector<std::string> OtherMountNames(const HostObject& object, const std::vector<HostMount>& mounts) {
  std::vector<std::string> names;
  const HostMount* home = HomeOf(object, mounts);
  if (home == nullptr) return names;
  std::string inside = JoinPath(home->root, RestBelow(home->mount_point, object.canonical));
  for (const HostMount& mount : mounts) {
    if (mount.device != home->device || !IsBelow(mount.root, inside)) continue;
    std::string name = JoinPath(mount.mount_point, RestBelow(mount.root, inside));
    if (name == object.canonical) continue;
    struct stat found;
    if (::lstat(name.c_str(), &found) != 0 || found.st_dev != object.device || found.st_ino != object.inode) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> PartsMountedElsewhere(const HostObject& folder, const std::vector<HostMount>& mounts) {
  std::vector<std::string> places;
  const HostMount* home = HomeOf(folder, mounts);
  if (home == nullptr || !folder.directory()) return places;
  const std::string inside = JoinPath(home->root, RestBelow(home->mount_point, folder.canonical));
  for (const HostMount& mount : mounts) {
    const bool part = mount.device == home->device && mount.root != inside && IsBelow(inside, mount.root);
    if (part && !IsBelow(folder.canonical, mount.mount_point)) places.push_back(mount.mount_point);
  }
  return places;
}

bool IsBelow(const std::string& folder, const std::string& path) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string RestBelow(const std::string& folder, const std::string& path) {
  if (folder == "/") return path == "/" ? "" : path;
  return path.substr(folder.size());
}

std::string JoinPath(const std::string& folder, const std::string& rest) {
  if (folder == "/") return rest.empty() ? "/" : rest;
  return folder + rest;
}

std::string ParentOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace mxc::sandbox
