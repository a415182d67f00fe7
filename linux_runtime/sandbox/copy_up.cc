#include "linux_runtime/sandbox/copy_up.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

#include "linux_runtime/sandbox/step_fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr int kMostFolders = 128;
constexpr size_t kTableBytes = 1 << 20;

// Files with several links that were copied: where the first of them is, below the new root.
class LinkTable {
 public:
  ~LinkTable() {
    if (memory_ != nullptr) ::munmap(memory_, kTableBytes);
  }

  const char* Find(const struct stat& file) const {
    for (size_t at = 0; at < used_;) {
      const Entry* entry = reinterpret_cast<const Entry*>(memory_ + at);
      if (entry->inode == file.st_ino && entry->device == file.st_dev) return entry->path;
      at += entry->bytes;
    }
    return nullptr;
  }

  void Add(const struct stat& file, const char* path) {
    const size_t bytes = (sizeof(Entry) + strlen(path) + 1 + alignof(Entry) - 1) & ~(alignof(Entry) - 1);
    if (memory_ == nullptr) {
      void* memory =
          ::mmap(nullptr, kTableBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) return;
      memory_ = static_cast<char*>(memory);
    }
    if (used_ + bytes > kTableBytes) return;
    auto* entry = reinterpret_cast<Entry*>(memory_ + used_);
    entry->device = file.st_dev;
    entry->inode = file.st_ino;
    entry->bytes = bytes;
    strcpy(entry->path, path);
    used_ += bytes;
  }

 private:
  struct Entry {
    uint64_t device, inode;
    size_t bytes;
    char path[];
  };
  char* memory_ = nullptr;
  size_t used_ = 0;
};

struct Copying {
  int top;              // the new root
  char path[PATH_MAX];  // of what is being copied, below it
  size_t path_size = 0;
  LinkTable links;
};

int Ignore(long error) {
  const bool harmless =
      error == -EPERM || error == -EINVAL || error == -EOPNOTSUPP || error == -ENODATA || error == -ERANGE;
  return error >= 0 || harmless ? 0 : static_cast<int>(error);
}

int CopyAttributes(int from, int to) {
  char names[4096], value[4096];
  const long size = sys::Check(::flistxattr(from, names, sizeof names));
  if (size < 0) return Ignore(size);
  for (const char* name = names; name < names + size; name += strlen(name) + 1) {
    // The kernel labels new files by its own rules.
    if (strcmp(name, "security.selinux") == 0) continue;
    const long length = sys::Check(::fgetxattr(from, name, value, sizeof value));
    if (length < 0) continue;
    const long set = sys::Check(::fsetxattr(to, name, value, static_cast<size_t>(length), 0));
    if (int error = Ignore(set); error < 0) return error;
  }
  return 0;
}

// Owner first: changing it takes away set-user-ID bits and file capabilities.
int CopyMetadata(int from, int to, const struct stat& file, bool mode) {
  if (int error = Ignore(sys::Check(::fchown(to, file.st_uid, file.st_gid))); error < 0) return error;
  if (mode) {
    if (int error = sys::Chmod(to, file.st_mode & 07777); error < 0) return error;
  }
  if (int error = CopyAttributes(from, to); error < 0) return error;
  const timespec times[2] = {file.st_atim, file.st_mtim};
  return Ignore(sys::Check(::futimens(to, times)));
}

int CopyContent(int from, int to) {
  for (;;) {
    const long count = sys::Check(::sendfile(to, from, nullptr, size_t{1} << 30));
    if (count == 0) return 0;
    if (count < 0 && count != -EINTR) return static_cast<int>(count);
  }
}

int CopyFile(Copying& copying, int from, int to, const char* name, const struct stat& file) {
  if (file.st_nlink > 1) {
    if (const char* first = copying.links.Find(file); first != nullptr) {
      return static_cast<int>(sys::Check(::linkat(copying.top, first, to, name, 0)));
    }
  }
  // O_NONBLOCK: by now it may be a fifo, at which open(2) would wait.
  StepFd source(sys::OpenAt(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  if (source.failed()) return source.get();
  struct stat opened;
  if (int error = sys::Fstat(source.get(), &opened); error < 0) return error;
  if (!S_ISREG(opened.st_mode)) return -ESTALE;
  StepFd copy(sys::OpenAt(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  if (copy.failed()) return copy.get();
  if (int error = CopyContent(source.get(), copy.get()); error < 0) return error;
  if (int error = CopyMetadata(source.get(), copy.get(), opened, true); error < 0) return error;
  if (opened.st_nlink > 1) copying.links.Add(opened, copying.path);
  return 0;
}

int CopyLink(int from, int to, const char* name, const struct stat& file) {
  char target[PATH_MAX];
  const long size = sys::Readlink(from, name, target, sizeof target - 1);
  if (size < 0) return static_cast<int>(size);
  target[size] = '\0';
  if (int error = sys::Symlink(target, to, name); error < 0) return error;
  return Ignore(sys::Chown(to, name, file.st_uid, file.st_gid));
}

int CopyNode(int to, const char* name, const struct stat& file) {
  const int error = sys::Mknod(to, name, file.st_mode, file.st_rdev);
  if (error == -EPERM) return 0;
  return error < 0 ? error : Ignore(sys::Chown(to, name, file.st_uid, file.st_gid));
}

int CopyFolder(Copying& copying, int from, int to, int depth);  // NOLINT(misc-no-recursion): bounded by kMostFolders

int CopySubfolder(Copying& copying, int from, int to, const char* name, int depth) {  // NOLINT(misc-no-recursion)
  if (int error = sys::Mkdir(to, name, 0700); error < 0) return error;
  constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  StepFd source(sys::OpenAt(from, name, kFolder)), copy(sys::OpenAt(to, name, kFolder));
  if (source.failed()) return source.get();
  if (copy.failed()) return copy.get();
  struct stat folder;
  if (int error = sys::Fstat(source.get(), &folder); error < 0) return error;
  if (int error = CopyFolder(copying, source.get(), copy.get(), depth + 1); error < 0) return error;
  return CopyMetadata(source.get(), copy.get(), folder, true);
}

int CopyEntry(Copying& copying, int from, int to, const char* name, int depth) {  // NOLINT(misc-no-recursion)
  struct stat file;
  if (long error = sys::Check(::fstatat(from, name, &file, AT_SYMLINK_NOFOLLOW)); error < 0)
    return static_cast<int>(error);
  const size_t before = copying.path_size, size = strlen(name);
  if (before + size + 2 > sizeof copying.path) return -ENAMETOOLONG;
  if (before != 0) copying.path[copying.path_size++] = '/';
  memcpy(copying.path + copying.path_size, name, size + 1);
  copying.path_size += size;
  int error = 0;
  if (S_ISDIR(file.st_mode)) {
    error = CopySubfolder(copying, from, to, name, depth);
  } else if (S_ISREG(file.st_mode)) {
    error = CopyFile(copying, from, to, name, file);
  } else if (S_ISLNK(file.st_mode)) {
    error = CopyLink(from, to, name, file);
  } else {
    error = CopyNode(to, name, file);
  }
  copying.path_size = before;
  copying.path[before] = '\0';
  return error;
}

int CopyFolder(Copying& copying, int from, int to, int depth) {  // NOLINT(misc-no-recursion)
  if (depth > kMostFolders) return -ENAMETOOLONG;
  alignas(dirent64) char entries[4096];
  for (;;) {
    const long size = sys::Check(::getdents64(from, entries, sizeof entries));
    if (size <= 0) return static_cast<int>(size);
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      at += entry->d_reclen;
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      if (int error = CopyEntry(copying, from, to, entry->d_name, depth); error < 0) return error;
    }
  }
}

}  // namespace

int CopyUp(int from, int to, bool own_top) {
  StepFd source(sys::OpenAt(from, ".", O_RDONLY | O_DIRECTORY)), copy(sys::OpenAt(to, ".", O_RDONLY | O_DIRECTORY));
  if (source.failed()) return source.get();
  if (copy.failed()) return copy.get();
  struct stat folder;
  if (int error = sys::Fstat(source.get(), &folder); error < 0) return error;
  Copying copying{copy.get(), {}, 0, {}};
  if (int error = CopyFolder(copying, source.get(), copy.get(), 0); error < 0) return error;
  return own_top ? CopyMetadata(source.get(), copy.get(), folder, false) : 0;
}

}  // namespace mxc::sandbox
