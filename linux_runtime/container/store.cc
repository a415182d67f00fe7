#include "linux_runtime/container/store.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/file.h>

#include <algorithm>
#include <memory>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::container {
namespace {

constexpr char kStateFile[] = "state";
constexpr size_t kLongestId = 255;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

Result<void> CheckId(const std::string& id) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-' || c == '.';
  };
  const bool good =
      !id.empty() && id.size() <= kLongestId && id != "." && id != ".." && std::all_of(id.begin(), id.end(), plain);
  if (good) return {};
  return Error(
      Code::kInvalid,
      "invalid id format: a container's id is made of letters, digits and _ + - . and has at most 255 of them");
}

Result<std::vector<std::string>> Names(int folder, const std::string& path) {
  int fd = sys::OpenAt(folder, ".", kFolderFlags);
  if (fd < 0) return sys::SystemError("read " + path, -fd);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (!stream) {
    sys::Close(fd);
    return sys::SystemError("read " + path, errno);
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> MakeFolders(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const int error = sys::Mkdir(AT_FDCWD, part.c_str(), 0700);
    if (error < 0 && error != -EEXIST) return sys::SystemError("make the state folder " + part, -error);
    if (slash == std::string::npos) return {};
  }
}

}  // namespace

Result<void> Entry::Lock() {
  while (::flock(folder_.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return sys::SystemError("lock " + path_, errno);
  }
  struct stat found;
  if (sys::Fstat(folder_.get(), &found) < 0 || found.st_nlink == 0) {
    return Error(Code::kNotFound, "container does not exist: " + id_ + " was deleted meanwhile");
  }
  return {};
}

Result<std::string> Entry::ReadFile(const char* name) const {
  sys::UniqueFd file(sys::OpenAt(folder_.get(), name, O_RDONLY | O_NOFOLLOW));
  if (!file.valid()) {
    if (file.get() == -ENOENT) return Error(Code::kNotFound, path_ + "/" + name + ": no such file").WithErrno(ENOENT);
    return sys::SystemError("open " + path_ + "/" + name, -file.get());
  }
  std::string text;
  struct stat found;
  if (sys::Fstat(file.get(), &found) == 0) text.reserve(static_cast<size_t>(found.st_size) + 1);
  char buffer[8192];
  for (;;) {
    const long size = sys::Read(file.get(), buffer, sizeof buffer);
    if (size < 0) return sys::SystemError("read " + path_ + "/" + name, static_cast<int>(-size));
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
  }
}

Result<void> Entry::WriteFile(const char* name, std::string_view content) const {
  sys::UniqueFd file(sys::OpenAt(folder_.get(), name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!file.valid()) return sys::SystemError("write " + path_ + "/" + name, -file.get());
  while (!content.empty()) {
    const long size = sys::Write(file.get(), content.data(), content.size());
    if (size < 0) return sys::SystemError("write " + path_ + "/" + name, static_cast<int>(-size));
    content.remove_prefix(static_cast<size_t>(size));
  }
  return {};
}

Result<void> Entry::AppendState(const std::string& line) const {
  sys::UniqueFd file(sys::OpenAt(folder_.get(), kStateFile, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600));
  const long size = file.valid() ? sys::Write(file.get(), line.data(), line.size()) : file.get();
  if (size == static_cast<long>(line.size())) return {};
  return sys::SystemError("write " + path_ + "/" + kStateFile, size < 0 ? static_cast<int>(-size) : ENOSPC);
}

Result<std::optional<State>> Entry::ReadState() const {
  Result<std::string> text = ReadFile(kStateFile);
  if (!text.ok()) {
    if (text.error().code() == Code::kNotFound) return std::optional<State>();
    return std::move(text).error();
  }
  if (text->find('\n') == std::string::npos) return std::optional<State>();
  return std::optional<State>(MXC_TRY_AS(path_ + "/" + kStateFile, container::ReadState(*text)));
}

Result<void> Entry::Remove() {
  // The state goes last: killed in between, the container is still known and can be deleted again.
  for (const std::string& name : MXC_TRY(Names(folder_.get(), path_))) {
    if (name != kStateFile) ::unlinkat(folder_.get(), name.c_str(), 0);
  }
  ::unlinkat(folder_.get(), kStateFile, 0);
  if (::unlinkat(root_.get(), id_.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return sys::SystemError("remove " + path_, errno);
  return {};
}

Result<Store> Store::Open(const std::string& path) {
  MXC_TRY(MakeFolders(path));
  Store store;
  store.path_ = path;
  int fd = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (fd < 0) return sys::SystemError("open the state folder " + path, -fd);
  store.folder_.reset(fd);
  struct stat found;
  if (int error = sys::Fstat(fd, &found); error < 0) return sys::SystemError("look at " + path, -error);
  const bool ours = found.st_uid == ::geteuid() || found.st_uid == 0;
  if (!ours || (found.st_mode & 022) != 0) {
    return Error(Code::kRefused, "the state folder " + path + " belongs to somebody else, or others may write in it")
        .WithHint("give --root a folder of your own");
  }
  return store;
}

Result<Entry> Store::OpenEntry(const std::string& id) const {
  Entry entry;
  entry.id_ = id;
  entry.path_ = path_ + "/" + id;
  entry.root_.reset(::fcntl(folder_.get(), F_DUPFD_CLOEXEC, 0));
  int fd = sys::OpenAt(folder_.get(), id.c_str(), kFolderFlags);
  if (fd == -ENOENT) return Error(Code::kNotFound, "container does not exist: " + id);
  if (fd < 0) return sys::SystemError("open " + entry.path_, -fd);
  entry.folder_.reset(fd);
  return entry;
}

Result<Entry> Store::Find(const std::string& id) const {
  MXC_TRY(CheckId(id));
  return OpenEntry(id);
}

Result<Entry> Store::Create(const std::string& id) const {
  MXC_TRY(CheckId(id));
  const auto taken = [&] { return Error(Code::kRefused, "container with given ID already exists: " + id); };
  // A folder that is being deleted has to be gone before it can be made anew.
  for (;;) {
    const int made = sys::Mkdir(folder_.get(), id.c_str(), 0700);
    if (made < 0 && made != -EEXIST) return sys::SystemError("make " + path_ + "/" + id, -made);
    Result<Entry> entry = OpenEntry(id);
    if (!entry.ok()) {
      if (entry.error().code() == Code::kNotFound) continue;
      return entry;
    }
    if (::flock(entry->folder(), LOCK_EX | LOCK_NB) != 0) return taken();
    struct stat found;
    if (sys::Fstat(entry->folder(), &found) < 0 || found.st_nlink == 0) continue;
    if (MXC_TRY(entry->ReadState())) return taken();
    return entry;
  }
}

Result<std::vector<std::string>> Store::Ids() const { return Names(folder_.get(), path_); }

}  // namespace mxc::container
