#include "linux_runtime/sandbox/mount_point.h"

#include <limits.h>
#include <linux/magic.h>
#include <string.h>

#include "linux_runtime/sandbox/step_fd.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

const char* LastName(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

namespace {

constexpr int kMostLinks = 40;  // as the kernel

struct PathBuffer {
  char text[PATH_MAX];
  size_t size = 0;

  bool Append(const char* part, size_t part_size) {
    if (size + part_size >= sizeof text) return false;
    memcpy(text + size, part, part_size);
    size += part_size;
    text[size] = '\0';
    return true;
  }
  bool Append(const char* part) { return Append(part, strlen(part)); }
};

int OpenBelow(int root, const char* path, uint64_t flags, uint64_t resolve) {
  // What a lookup without the wall would find, for the test that the wall is there.
  if (Without("in-root"))
    return sys::OpenAt(root, path[0] == '/' && path[1] != '\0' ? path + 1 : ".", O_PATH | static_cast<int>(flags));
  return sys::OpenInRoot(root, path[0] == '\0' ? "/" : path, O_PATH | flags, 0, resolve);
}

// `name` in `parent` is a link to something that doesn't exist yet: writes the path that the whole then means.
// begin, end: where the name lies in `path`.
int FollowDangling(int parent, PathBuffer& path, size_t begin, size_t end) {
  char name[NAME_MAX + 1];
  if (end - begin > NAME_MAX) return -ENAMETOOLONG;
  memcpy(name, path.text + begin, end - begin);
  name[end - begin] = '\0';
  char target[PATH_MAX];
  const long size = sys::Readlink(parent, name, target, sizeof target);
  if (size == -EINVAL) return 0;  // no link: somebody made it meanwhile
  if (size < 0) return static_cast<int>(size);
  PathBuffer followed;
  bool fits = target[0] == '/' || followed.Append(path.text, begin);
  fits = fits && followed.Append(target, static_cast<size_t>(size)) && followed.Append(path.text + end);
  if (!fits) return -ENAMETOOLONG;
  memcpy(path.text, followed.text, followed.size + 1);
  path.size = followed.size;
  return 0;
}

struct Wanted {
  bool directory;
  uint64_t resolve;
};

// Makes what is missing of `path`. -EAGAIN: the path was changed to where a link leads, or another process was quicker.
int MakeMissing(int root, PathBuffer& path, const Wanted& wanted) {
  StepFd parent(OpenBelow(root, "/", O_DIRECTORY, wanted.resolve));
  if (parent.failed()) return parent.get();
  for (size_t begin = 0; begin < path.size;) {
    while (path.text[begin] == '/') ++begin;
    size_t end = begin;
    while (end < path.size && path.text[end] != '/') ++end;
    if (begin == end) break;
    const bool last = end + strspn(path.text + end, "/") == path.size;
    const char after = path.text[end];
    path.text[end] = '\0';
    int next = OpenBelow(root, path.text, last && !wanted.directory ? 0 : O_DIRECTORY, wanted.resolve);
    if (next == -ENOENT) {
      const char* name = path.text + begin;
      const int error = last && !wanted.directory ? sys::Mknod(parent.get(), name, S_IFREG | 0644, 0)
                                                  : sys::Mkdir(parent.get(), name, 0755);
      path.text[end] = after;
      if (error == -EEXIST) {
        const int followed = FollowDangling(parent.get(), path, begin, end);
        return followed < 0 ? followed : -EAGAIN;
      }
      if (error < 0) return error;
      path.text[end] = '\0';
      next = OpenBelow(root, path.text, last && !wanted.directory ? 0 : O_DIRECTORY, wanted.resolve);
    }
    path.text[end] = after;
    if (next < 0) return next;
    parent.reset(next);
    begin = end;
  }
  return 0;
}

// The usual case: only the last name is missing, and no link is in its place. -EEXIST: it isn't the usual case.
int MakeLast(int root, const char* path, const Wanted& wanted, uint64_t flags) {
  const char* name = LastName(path);
  PathBuffer folder;
  if (name[0] == '\0' || !folder.Append(path, static_cast<size_t>(name - path))) return -EEXIST;
  StepFd parent(OpenBelow(root, folder.text, O_DIRECTORY, wanted.resolve));
  if (parent.failed()) return parent.get() == -ENOENT ? -EEXIST : parent.get();
  const int error =
      wanted.directory ? sys::Mkdir(parent.get(), name, 0755) : sys::Mknod(parent.get(), name, S_IFREG | 0644, 0);
  if (error < 0) return error;
  return sys::OpenAt2(parent.get(), name, O_PATH | O_NOFOLLOW | flags, 0, RESOLVE_NO_SYMLINKS);
}

int CheckNotProc(int fd) {
  struct statfs found;
  if (int error = sys::Fstatfs(fd, &found); error < 0) return error;
  return found.f_type == PROC_SUPER_MAGIC && !Without("proc-guard") ? -EXDEV : 0;
}

// `flags` for the finished place.
int OpenOrMake(int root, const char* path, const Wanted& wanted, uint64_t flags, bool* made) {
  int fd = OpenBelow(root, path, flags, wanted.resolve);
  if (fd != -ENOENT) return fd;
  if (fd = MakeLast(root, path, wanted, flags); fd != -EEXIST) {
    if (fd >= 0 && made != nullptr) *made = true;
    return fd;
  }
  PathBuffer missing;
  if (!missing.Append(path)) return -ENAMETOOLONG;
  for (int links = 0; links < kMostLinks; ++links) {
    const int error = MakeMissing(root, missing, wanted);
    if (error == -EAGAIN) continue;
    if (error < 0) return error;
    if (made != nullptr) *made = true;
    // Where the links led when it was made; they may lead elsewhere by now, below the root all the same.
    return OpenBelow(root, missing.text, flags, wanted.resolve);
  }
  return -ELOOP;
}

}  // namespace

int OpenMountPoint(int root, const Step& step, bool* made) {
  const bool links = (step.point & kPointNoLinks) == 0 || Without("no-links");
  const Wanted wanted{step.directory, links ? 0u : static_cast<uint64_t>(RESOLVE_NO_SYMLINKS)};
  const uint64_t flags = (step.point & kPointNoFollow) != 0 ? O_NOFOLLOW : step.directory ? O_DIRECTORY : 0;
  StepFd point(OpenOrMake(root, step.path, wanted, flags, made));
  if (point.failed()) return point.get();
  if ((step.point & kPointOnProc) == 0) {
    if (int error = CheckNotProc(point.get()); error < 0) return error;
  }
  return point.release();
}

int OpenFolderOf(int root, const char* path) {
  const char* name = LastName(path);
  PathBuffer folder;
  if (!folder.Append(path, static_cast<size_t>(name - path))) return -ENAMETOOLONG;
  StepFd opened(OpenOrMake(root, folder.text, {true, 0}, O_DIRECTORY, nullptr));
  if (opened.failed()) return opened.get();
  const int error = CheckNotProc(opened.get());
  return error < 0 ? error : opened.release();
}

}  // namespace mxc::sandbox
