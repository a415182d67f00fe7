#include "linux_runtime/run/state_folder.h"

#include <dirent.h>

#include <memory>
#include <string_view>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::run {

namespace {
constexpr std::string_view kMovedPrefix = "moved-";
}  // namespace

std::string StateFolderPath(bool privileged, const std::string& runtime_directory) {
  if (privileged) return "/run/mxc";
  if (runtime_directory.starts_with('/')) return runtime_directory + "/mxc";
  return "/tmp/mxc-" + std::to_string(::geteuid());
}

std::string DaemonFolder(bool privileged, const std::string& runtime_directory) {
  // Root's is for everybody to reach, which the state folder isn't.
  return privileged ? "/run/mxcd" : StateFolderPath(false, runtime_directory) + "/mxcd";
}

Result<StateFolder> OpenStateFolder(bool privileged, const std::string& runtime_directory) {
  StateFolder folder;
  folder.path = StateFolderPath(privileged, runtime_directory);
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
  int fd = sys::OpenAt(AT_FDCWD, folder.path.c_str(), kFlags);
  if (fd == -ENOENT) {
    int error = sys::Mkdir(AT_FDCWD, folder.path.c_str(), 0700);
    if (error < 0 && error != -EEXIST) return sys::SystemError("make the state folder " + folder.path, -error);
    fd = sys::OpenAt(AT_FDCWD, folder.path.c_str(), kFlags);
  }
  if (fd < 0) {
    return sys::SystemError("open the state folder " + folder.path, -fd)
        .WithHint("it has to be a folder of yours with mode 0700; remove what is there");
  }
  folder.fd = sys::UniqueFd(fd);
  struct stat found;
  if (int error = sys::Fstat(fd, &found); error < 0) return sys::SystemError("look at " + folder.path, -error);
  if (found.st_uid != ::geteuid() || (found.st_mode & 0077) != 0) {
    return Error(Code::kRefused, "the state folder " + folder.path + " belongs to somebody else or is open to others")
        .WithHint("remove it, or set XDG_RUNTIME_DIR to a folder of yours with mode 0700");
  }
  return folder;
}

Result<MovedFolder> MovedFolder::Make(const StateFolder& state, const std::string& name) {
  MovedFolder folder;
  folder.name_ = std::string(kMovedPrefix) + name;
  folder.path_ = state.path + "/" + folder.name_;
  if (int error = sys::Mkdir(state.fd.get(), folder.name_.c_str(), 0700); error < 0) {
    return sys::SystemError("make " + folder.path_, -error);
  }
  folder.parent_.reset(::fcntl(state.fd.get(), F_DUPFD_CLOEXEC, 0));
  int fd = sys::OpenAt(state.fd.get(), folder.name_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0) return sys::SystemError("open " + folder.path_, -fd);
  folder.fd_ = sys::UniqueFd(fd);
  return folder;
}

MovedFolder::~MovedFolder() {
  if (fd_.valid()) ::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

void SweepMovedFolders(const StateFolder& state, const std::function<bool(const std::string& name)>& alive) {
  int fd = sys::OpenAt(state.fd.get(), ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return;
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (!stream) {
    sys::Close(fd);
    return;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    std::string_view name = entry->d_name;
    if (!name.starts_with(kMovedPrefix) || alive(std::string(name.substr(kMovedPrefix.size())))) continue;
    ::unlinkat(state.fd.get(), entry->d_name, AT_REMOVEDIR);  // ENOTEMPTY: somebody's data
  }
}

}  // namespace mxc::run
