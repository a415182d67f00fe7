#include "linux_runtime/cgroup/directory.h"

#include <dirent.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

// More groups than any runtime makes below one: who makes them as fast as we look must not keep us for ever.
constexpr int kMostGroups = 1 << 16;

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::optional<uint64_t> Number(std::string_view text) {
  if (text.starts_with("max")) return UINT64_MAX;
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// Names of the folders in an open folder.
std::vector<std::string> Subfolders(int fd) {
  std::vector<std::string> names;
  int copy = sys::OpenAt(fd, ".", O_RDONLY | O_DIRECTORY);
  if (copy < 0) return names;
  std::unique_ptr<DIR, CloseDir> dir(::fdopendir(copy));
  if (!dir) return names;
  while (dirent* entry = ::readdir(dir.get())) {
    std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

// Visits every group below `top`, children after enter() and before leave() of their parent. Holds one descriptor at a
// time and goes up by "..", which a cgroup can't be moved away from, so that depth costs neither stack nor descriptors.
// enter(fd) of each group, top too; leave(parent fd, name) of each but top.
template <class Enter, class Leave>
int Walk(int top, Enter enter, Leave leave) {
  sys::UniqueFd at(sys::OpenAt(top, ".", O_RDONLY | O_DIRECTORY));
  if (!at.valid()) return at.get();
  std::vector<std::vector<std::string>> waiting;
  std::vector<std::string> names;
  enter(at.get());
  waiting.push_back(Subfolders(at.get()));
  for (int count = 0; !waiting.empty();) {
    if (!waiting.back().empty()) {
      std::string name = std::move(waiting.back().back());
      waiting.back().pop_back();
      sys::UniqueFd child(sys::OpenAt(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      if (!child.valid()) continue;
      if (++count > kMostGroups) return -E2BIG;
      at = std::move(child);
      names.push_back(std::move(name));
      enter(at.get());
      waiting.push_back(Subfolders(at.get()));
      continue;
    }
    waiting.pop_back();
    if (waiting.empty()) break;
    sys::UniqueFd parent(sys::OpenAt(at.get(), "..", O_RDONLY | O_DIRECTORY));
    if (!parent.valid()) return parent.get();
    at = std::move(parent);
    leave(at.get(), names.back().c_str());
    names.pop_back();
  }
  return 0;
}

int Remove(int parent, const char* name) {
  if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) return 0;
  int error = errno;
  if (error != EBUSY && error != ENOTEMPTY) return -error;
  sys::UniqueFd self(sys::OpenAt(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!self.valid()) return -error;
  bool below = false;
  int result = Walk(
      self.get(), [](int) {},
      [&](int above, const char* child) {
        below = true;
        ::unlinkat(above, child, AT_REMOVEDIR);
      });
  if (result < 0) return result;
  if (!below) return -error;
  return ::unlinkat(parent, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

// Appends the numbers of cgroup.procs. A group that is removed while it is read (ENODEV) has none, and those of a
// threaded group of v2 (EOPNOTSUPP) are listed by the group above that isn't threaded.
int AppendProcesses(int directory, std::vector<int>& pids) {
  sys::UniqueFd fd(sys::OpenAt(directory, "cgroup.procs", O_RDONLY | O_NOFOLLOW));
  if (!fd.valid()) return fd.get();
  std::string text;
  char buffer[16384];
  for (;;) {
    long size = sys::Read(fd.get(), buffer, sizeof buffer);
    if (size == -ENODEV || size == -EOPNOTSUPP) return 0;
    if (size < 0) return static_cast<int>(size);
    if (size == 0) break;
    text.append(buffer, static_cast<size_t>(size));
  }
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    int pid = 0;
    auto [next, error] = std::from_chars(at, end, pid);
    if (error == std::errc()) pids.push_back(pid);
    at = std::find(next, end, '\n');
    if (at < end) ++at;
  }
  return 0;
}

}  // namespace

Result<Directory> Directory::Open(std::string path, int extra_flags) {
  int fd = sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY);
  if (fd < 0) return sys::SystemError("open the cgroup " + path, -fd);
  return Directory(std::move(path), sys::UniqueFd(fd), extra_flags);
}

Result<Directory> Directory::Child(const std::string& name) const {
  std::string path = path_ + "/" + name;
  int fd = sys::OpenAt(fd_.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0) return sys::SystemError("open the cgroup " + path, -fd);
  return Directory(std::move(path), sys::UniqueFd(fd), extra_flags_);
}

int Directory::Write(const char* file, std::string_view value) const {
  int fd = sys::OpenAt(fd_.get(), file, O_WRONLY | O_NOFOLLOW | extra_flags_, 0600);
  if (fd < 0) return fd;
  long written = sys::Write(fd, value.data(), value.size());
  sys::Close(fd);
  return written < 0 ? static_cast<int>(written) : 0;
}

Result<std::string> Directory::Read(const char* file) const {
  sys::UniqueFd fd = MXC_TRY(OpenFile(file, O_RDONLY));
  char buffer[8192];
  long size = sys::Read(fd.get(), buffer, sizeof buffer);
  if (size < 0) return sys::SystemError("read " + path_ + "/" + file, static_cast<int>(-size));
  return std::string(buffer, static_cast<size_t>(size));
}

Result<std::string> Directory::ReadAll(const char* file) const {
  sys::UniqueFd fd = MXC_TRY(OpenFile(file, O_RDONLY));
  std::string text;
  char buffer[16384];
  while (text.size() < (1u << 20)) {
    long size = sys::Read(fd.get(), buffer, sizeof buffer);
    if (size < 0) return sys::SystemError("read " + path_ + "/" + file, static_cast<int>(-size));
    if (size == 0) break;
    text.append(buffer, static_cast<size_t>(size));
  }
  return text;
}

Result<uint64_t> Directory::ReadNumber(const char* file) const {
  std::string text = MXC_TRY(Read(file));
  if (auto number = Number(text)) return *number;
  return Error(Code::kInternal, "read " + path_ + "/" + file + ": no number in '" + text + "'");
}

Result<std::vector<int>> Directory::Processes() const {
  std::vector<int> pids;
  int result = AppendProcesses(fd_.get(), pids);
  if (result < 0) return sys::SystemError("read " + path_ + "/cgroup.procs", -result);
  return pids;
}

Result<std::vector<int>> Directory::ProcessesBelow() const {
  std::vector<int> pids;
  int failed = AppendProcesses(fd_.get(), pids);
  if (failed < 0) return sys::SystemError("read " + path_ + "/cgroup.procs", -failed);
  bool top = true;
  int result = Walk(
      fd_.get(),
      [&](int group) {
        // One below may have been removed meanwhile.
        if (!top && failed == 0) failed = AppendProcesses(group, pids);
        if (failed == -ENOENT) failed = 0;
        top = false;
      },
      [](int, const char*) {});
  if (result == 0) result = failed;
  if (result < 0) return sys::SystemError("read the processes below " + path_, -result);
  return pids;
}

int Directory::WriteEach(const char* file, const std::vector<std::string>& values, int& error) const {
  sys::UniqueFd fd(sys::OpenAt(fd_.get(), file, O_WRONLY | O_NOFOLLOW | extra_flags_, 0600));
  if (!fd.valid()) return fd.get();
  int taken = 0;
  for (const std::string& value : values) {
    long written = sys::Write(fd.get(), value.data(), value.size());
    if (written < 0) {
      error = static_cast<int>(-written);
      break;
    }
    ++taken;
  }
  return taken;
}

void Directory::WriteBelow(const char* file, std::string_view value) const {
  Walk(
      fd_.get(),
      [&](int group) {
        sys::UniqueFd fd(sys::OpenAt(group, file, O_WRONLY | O_NOFOLLOW));
        if (fd.valid()) sys::Write(fd.get(), value.data(), value.size());
      },
      [](int, const char*) {});
}

Result<sys::UniqueFd> Directory::OpenFile(const char* file, int flags) const {
  int fd =
      sys::OpenAt(fd_.get(), file, flags | O_NOFOLLOW | ((flags & O_ACCMODE) == O_RDONLY ? 0 : extra_flags_), 0600);
  if (fd < 0) return sys::SystemError("open " + path_ + "/" + file, -fd);
  return sys::UniqueFd(fd);
}

bool Directory::Has(const char* file) const { return ::faccessat(fd_.get(), file, F_OK, 0) == 0; }

int Directory::Make(const std::string& name) const { return sys::Mkdir(fd_.get(), name.c_str(), 0755); }

int Directory::RemoveTree(const std::string& name, std::chrono::milliseconds patience) const {
  Backoff backoff(patience);
  for (;;) {
    int result = Remove(fd_.get(), name.c_str());
    if (result == -ENOENT) return 0;
    if (result != -EBUSY && result != -ENOTEMPTY) return result;
    if (!backoff.Wait()) return result;
  }
}

Result<std::vector<std::string>> Directory::Children() const { return Subfolders(fd_.get()); }

Backoff::Backoff(std::chrono::milliseconds patience) : deadline_(std::chrono::steady_clock::now() + patience) {}

bool Backoff::Wait() {
  if (std::chrono::steady_clock::now() >= deadline_) return false;
  timespec time{0, static_cast<long>(std::chrono::nanoseconds(pause_).count())};
  ::nanosleep(&time, nullptr);
  pause_ = std::min(pause_ * 2, std::chrono::microseconds(5000));
  return true;
}

std::optional<uint64_t> FlatKey(std::string_view text, std::string_view key) {
  size_t at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') {
      return Number(line.substr(key.size() + 1));
    }
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace mxc::cgroup
