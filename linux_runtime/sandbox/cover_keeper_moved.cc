#include "linux_runtime/sandbox/cover_keeper_moved.h"

#include <dirent.h>
#include <linux/fs.h>
#include <time.h>

#include <climits>
#include <cstdint>
#include <memory>
#include <vector>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr int kMaxObjects = 10000;
constexpr int kMaxDepth = 64;
constexpr size_t kMaxLate = 64;

using Budget = MoveBudget;

Error TooLarge(const std::string& name) {
  return Error(Code::kRefused,
               "move " + name + " into the state folder: it is larger than 10,000 objects, 256 MiB or 64 levels");
}

Result<std::vector<std::string>> List(int folder, const std::string& name) {
  int fd = sys::OpenAt(folder, ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return sys::SystemError("open " + name, -fd);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (!stream) {
    sys::Close(fd);
    return sys::SystemError("read " + name, errno);
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    std::string text = entry->d_name;
    if (text != "." && text != "..") names.push_back(std::move(text));
    if (names.size() > kMaxObjects) return TooLarge(name);
  }
  return names;
}

Result<void> CopyContent(int source, int copy, const std::string& name, Budget& budget) {
  std::vector<char> buffer(65536);
  for (off_t at = 0;;) {
    const long size = sys::Check(::pread(source, buffer.data(), buffer.size(), at));
    if (size < 0) return sys::SystemError("read " + name, static_cast<int>(-size));
    if (size == 0) return {};
    if ((budget.bytes -= size) < 0) return TooLarge(name);
    for (long done = 0; done < size;) {
      const long written =
          sys::Check(::pwrite(copy, buffer.data() + done, static_cast<size_t>(size - done), at + done));
      if (written < 0) return sys::SystemError("write the copy of " + name, static_cast<int>(-written));
      done += written;
    }
    at += size;
  }
}

Result<LateCopy> CopyFile(int parent, const std::string& name, int to, const std::string& as, Budget& budget) {
  LateCopy files;
  // O_NONBLOCK: it may have become a FIFO.
  files.source.reset(sys::OpenAt(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (!files.source.valid()) return sys::SystemError("open " + name, -files.source.get());
  files.copy.reset(sys::OpenAt(to, as.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!files.copy.valid()) return sys::SystemError("create " + as + " in the state folder", -files.copy.get());
  MXC_TRY(CopyContent(files.source.get(), files.copy.get(), name, budget));
  return files;
}

Result<void> Copy(int parent, const std::string& name, int to, const std::string& as, Budget& budget,
                  std::vector<LateCopy>& late, int depth) {
  if (--budget.objects < 0 || depth > kMaxDepth) return TooLarge(name);
  struct stat stat {};
  if (::fstatat(parent, name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) < 0) return sys::SystemError("stat " + name, errno);
  if (S_ISREG(stat.st_mode)) {
    LateCopy files = MXC_TRY(CopyFile(parent, name, to, as, budget));
    if (late.size() < kMaxLate) late.push_back(std::move(files));
    return {};
  }
  if (S_ISLNK(stat.st_mode)) {
    char target[PATH_MAX];
    ssize_t size = ::readlinkat(parent, name.c_str(), target, sizeof target - 1);
    if (size < 0) return sys::SystemError("read the link " + name, errno);
    target[size] = '\0';
    if (int error = sys::Symlink(target, to, as.c_str()); error < 0)
      return sys::SystemError("create the link " + as, -error);
    return {};
  }
  if (!S_ISDIR(stat.st_mode)) return {};
  sys::UniqueFd source(sys::OpenAt(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!source.valid()) return sys::SystemError("open " + name, -source.get());
  if (int error = sys::Mkdir(to, as.c_str(), 0700); error < 0) return sys::SystemError("create " + as, -error);
  sys::UniqueFd copy(sys::OpenAt(to, as.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!copy.valid()) return sys::SystemError("open " + as, -copy.get());
  for (const std::string& entry : MXC_TRY(List(source.get(), name))) {
    MXC_TRY(Copy(source.get(), entry, copy.get(), entry, budget, late, depth + 1));
  }
  return {};
}

Result<void> Remove(int parent, const std::string& name, int depth) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return sys::SystemError("remove " + name, errno);
  if (depth > kMaxDepth) return TooLarge(name);
  sys::UniqueFd folder(sys::OpenAt(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!folder.valid()) return sys::SystemError("open " + name, -folder.get());
  for (const std::string& entry : MXC_TRY(List(folder.get(), name))) MXC_TRY(Remove(folder.get(), entry, depth + 1));
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) < 0) return sys::SystemError("remove " + name, errno);
  return {};
}

// In the folder where it is, which takes no right over the object itself.
int RenameAside(int parent, const std::string& name, const std::string& aside) {
  auto rename = [&] {
    return static_cast<int>(sys::Check(::renameat2(parent, name.c_str(), parent, aside.c_str(), RENAME_NOREPLACE)));
  };
  int error = rename();
  struct stat stat {};
  if (error != -EACCES || sys::Fstat(parent, &stat) < 0 || stat.st_uid != ::geteuid()) return error;
  // A container of the caller's own id may have taken the right to write from its folder.
  if (::chmod(("/proc/self/fd/" + std::to_string(parent)).c_str(), (stat.st_mode & 07777) | 0700) < 0) return error;
  return rename();
}

}  // namespace

Result<void> MoveIntoState(int parent, const std::string& name, int state_folder, const std::string& as,
                           MoveBudget& budget, std::vector<LateCopy>& late) {
  if (budget.objects > 0 && ::renameat2(parent, name.c_str(), state_folder, as.c_str(), RENAME_NOREPLACE) == 0) {
    --budget.objects;
    return {};
  }
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);  // other runs left theirs here, perhaps
  const std::string aside = ".mxc-" + std::to_string(now.tv_sec) + "." + std::to_string(now.tv_nsec) + "-" + as;
  if (int error = RenameAside(parent, name, aside); error < 0) {
    return sys::SystemError("rename " + name + " to " + aside, -error);
  }
  auto copy = [&]() -> Result<void> {
    MXC_TRY(Copy(parent, aside, state_folder, as, budget, late, 0));
    return Remove(parent, aside, 0);
  };
  Result<void> copied = copy();
  if (!copied.ok()) return std::move(copied).error().WithContext("it is called " + aside + " now");
  return {};
}

Result<void> FinishCopy(const LateCopy& late, MoveBudget& budget) {
  struct stat source {
  }, copy{};
  if (sys::Fstat(late.source.get(), &source) < 0 || sys::Fstat(late.copy.get(), &copy) < 0) return {};
  const auto time = [](const timespec& at) { return std::pair(at.tv_sec, at.tv_nsec); };
  if (source.st_size == copy.st_size && time(source.st_mtim) < time(copy.st_mtim)) return {};
  MXC_TRY(CopyContent(late.source.get(), late.copy.get(), "what was written since it was moved", budget));
  if (::ftruncate(late.copy.get(), source.st_size) < 0) return sys::SystemError("cut the copy to its size", errno);
  return {};
}

}  // namespace mxc::sandbox
