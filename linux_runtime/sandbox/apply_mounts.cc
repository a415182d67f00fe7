// The steps that build the container's root. `root` is a descriptor of the new root; every path of the container is
// resolved below it (RESOLVE_IN_ROOT), because granted trees hold symbolic links of whoever writes in them.
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/apply_bundle_mounts.h"
#include "linux_runtime/sandbox/cover_source.h"
#include "linux_runtime/sandbox/filesystem.h"
#include "linux_runtime/sandbox/mount_attributes.h"
#include "linux_runtime/sandbox/mount_point.h"
#include "linux_runtime/sandbox/step_fd.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr unsigned kEmptyFrom = MOVE_MOUNT_F_EMPTY_PATH;
constexpr unsigned kEmptyBoth = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
constexpr uint64_t kPrivatePropagation = MS_PRIVATE;
// A folder of the old root for a moment's use; covered again before anybody else runs here.
constexpr const char* kStash = "/sys";

// "/a/b" → "a/b"; "/" → ".".
const char* Relative(const char* path) {
  while (*path == '/') ++path;
  return *path == '\0' ? "." : path;
}

int MatchesExpectation(int fd, const Step& step) {
  struct stat found;
  if (int error = sys::Fstat(fd, &found); error < 0) return error;
  if (S_ISDIR(found.st_mode) != step.directory) return step.directory ? -ENOTDIR : -EISDIR;
  // The object was decided on in the parent; another one under its name is a race that somebody is winning.
  if (step.verify && (found.st_dev != step.device || found.st_ino != step.inode)) return -ESTALE;
  return 0;
}

bool IsAbove(const char* path, size_t size, const char* folder, size_t folder_size) {
  return size <= folder_size && memcmp(path, folder, size) == 0 && (size == folder_size || folder[size] == '/');
}

// Many mount points lie in one folder (/etc, /dev): it is opened once, below the root, and the last name is looked up in
// it without following a link.
int Attach(int mount, RootState& state, const Step& step) {
  if (step.point != 0) return AttachInBundle(mount, state, step);
  const char* name = strrchr(step.path, '/');
  if (name == nullptr || name[1] == '\0') return -EINVAL;
  if (int error = OpenFolder(state, step); error < 0) return error;
  int error = sys::MoveMount(mount, "", state.folder, name + 1, kEmptyFrom);
  if (error == -EINVAL || error == -ENOTDIR || error == -ELOOP) {
    // The last name may be a link, which a plain bundle may mean: followed below the root.
    StepFd target(sys::OpenInRoot(state.root, step.path, O_PATH));
    error = target.failed() ? target.get() : sys::MoveMount(mount, "", target.get(), "", kEmptyBoth);
  }
  // What is mounted over the folder, or over one above it, is what the next name has to be looked up in.
  if (IsAbove(step.path, strlen(step.path), state.folder_path, state.folder_size)) ForgetFolder(state);
  return error;
}

}  // namespace

int CloneSource(const Step& step) {
  // The planned source is canonical: a link in it now was put there since.
  const uint64_t nofollow = step.nofollow ? O_NOFOLLOW : 0;
  StepFd source(sys::OpenAt2(AT_FDCWD, step.text, O_PATH | nofollow, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  if (source.failed()) return source.get();
  if (int error = MatchesExpectation(source.get(), step); error < 0) return error;
  unsigned recursive = step.recursive ? AT_RECURSIVE : 0;
  StepFd mount(sys::OpenTree(source.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | recursive));
  if (mount.failed()) return mount.get();
  if (int error = SetAttributes(mount.get(), step); error < 0) return error;
  return mount.release();
}

namespace {

int Bind(const Step& step, RootState& state) {
  if (step.fd >= 0) return Attach(step.fd, state, step);
  StepFd mount(CloneSource(step));
  return mount.failed() ? mount.get() : Attach(mount.get(), state, step);
}

int MountNew(const Step& step, RootState& state, const char* type) {
  StepFd mount(NewFilesystem(type, type, step.options, step.flags));
  if (mount.failed()) return mount.get();
  return Attach(mount.get(), state, step);
}

int MakeFile(const Step& step, int root) {
  StepFd file(sys::OpenAt(root, Relative(step.path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, step.mode));
  if (file.failed()) return file.get();
  size_t written = 0;
  while (written < step.size) {
    long count = sys::Write(file.get(), step.text + written, step.size - written);
    if (count < 0) return static_cast<int>(count);
    written += static_cast<size_t>(count);
  }
  return 0;
}

int MakeDirectory(const Step& step, int root) {
  int error = sys::Mkdir(root, Relative(step.path), step.mode);
  return error == -EEXIST ? 0 : error;
}

// A clone of what is there, attached over itself: read-only here and below, or only to be a mount point (kPin).
int AttachOverItself(const Step& step, int root) {
  StepFd target(sys::OpenInRoot(root, step.path, O_PATH | (step.op == Op::kPin ? O_NOFOLLOW : 0)));
  if (target.failed()) {
    bool absent = target.get() == -ENOENT || target.get() == -ENOTDIR;
    return step.optional && absent ? 0 : target.get();
  }
  if (step.verify) {
    if (int error = MatchesExpectation(target.get(), step); error < 0) return error;
  }
  StepFd mount(sys::OpenTree(target.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE));
  if (mount.failed()) return mount.get();
  const uint64_t readonly = step.op == Op::kReadonly ? MOUNT_ATTR_RDONLY : 0;
  sys::MountAttr attr{readonly | step.flags, 0, kPrivatePropagation, 0};
  if (int error = sys::MountSetattr(mount.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, attr); error < 0) return error;
  return sys::MoveMount(mount.get(), "", target.get(), "", kEmptyBoth);
}

// The container's /dev/null, looked at once.
int NullDevice(RootState& state) {
  if (state.null >= 0) return state.null;
  // In a bundle's root it may be anything, a link to the host among others (CVE-2025-31133).
  StepFd null(sys::OpenInRoot(state.root, "/dev/null", O_PATH));
  if (null.failed()) return null.get();
  struct stat device;
  if (int error = sys::Fstat(null.get(), &device); error < 0) return error;
  if (!Without("null-check") && (!S_ISCHR(device.st_mode) || device.st_rdev != makedev(1, 3))) return -ENODEV;
  state.null = null.release();
  return state.null;
}

// An empty folder on a read-only file system: a new one first, then copies of its mount.
int EmptyFolder(RootState& state) {
  if (state.empty_folder >= 0) return sys::OpenTree(state.empty_folder, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
  static const char* const kOptions[] = {"size", "4096", "nr_inodes", "1", "mode", "0555", nullptr};
  constexpr uint64_t kInert = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return NewFilesystem("tmpfs", "tmpfs", kOptions, kInert);
}

int Mask(const Step& step, RootState& state) {
  StepFd target(sys::OpenInRoot(state.root, step.path, O_PATH));
  if (target.failed()) {
    bool absent = target.get() == -ENOENT || target.get() == -ENOTDIR;
    return step.optional && absent ? 0 : target.get();
  }
  struct stat found;
  if (int error = sys::Fstat(target.get(), &found); error < 0) return error;
  if (S_ISDIR(found.st_mode)) {
    StepFd mount(EmptyFolder(state));
    if (mount.failed()) return mount.get();
    const int error = sys::MoveMount(mount.get(), "", target.get(), "", kEmptyBoth);
    // Attached, which before Linux 6.15 only what can be copied is.
    if (error >= 0 && state.empty_folder < 0) state.empty_folder = mount.release();
    return error;
  }
  const int null = NullDevice(state);
  if (null < 0) return null;
  StepFd mount(sys::OpenTree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
  if (mount.failed()) return mount.get();
  return sys::MoveMount(mount.get(), "", target.get(), "", kEmptyBoth);
}

int SealMount(const Step& step, int root) {
  StepFd target(sys::OpenInRoot(root, step.path, O_PATH));
  if (target.failed()) return target.get();
  sys::MountAttr attr{MOUNT_ATTR_RDONLY, 0, 0, 0};
  return sys::MountSetattr(target.get(), "", AT_EMPTY_PATH, attr);
}

int Cover(const Step& step, RootState& state) {
  StepFd target(sys::OpenInRoot(state.root, step.path, O_PATH));
  if (target.failed()) return target.get();
  if (int error = MatchesExpectation(target.get(), step); error < 0) return error;
  if (int error = SplitCovers(&state.covers, kStash); error < 0) return error;
  return AttachCover(&state.covers, target.get(), step.directory);
}

int NewRoot(const Step& step, RootState& state) {
  int mount = step.fd;
  if (step.op == Op::kNewRoot) {
    mount = NewFilesystem("tmpfs", "tmpfs", step.options, step.flags);
  } else if (mount < 0) {
    mount = CloneSource(step);
  }
  if (mount < 0) return mount;
  if (int error =
          step.point != 0 ? AttachBundleRoot(mount, step) : sys::MoveMount(mount, "", AT_FDCWD, kRootPlace, kEmptyFrom);
      error < 0) {
    return error;
  }
  state.root = mount;
  return 0;
}

}  // namespace

void ForgetFolder(RootState& state) {
  if (state.folder >= 0) sys::Close(state.folder);
  state.folder = -1;
}

int OpenFolder(RootState& state, const Step& step) {
  const size_t size = static_cast<size_t>(LastName(step.path) - step.path);
  if (state.folder >= 0 && state.folder_size == size && memcmp(state.folder_path, step.path, size) == 0) return 0;
  ForgetFolder(state);
  if (step.point != 0) {
    state.folder = OpenFolderOf(state.root, step.path);
  } else {
    if (size >= PATH_MAX) return -ENAMETOOLONG;
    char folder[PATH_MAX];
    memcpy(folder, step.path, size);
    folder[size] = '\0';
    state.folder = sys::OpenInRoot(state.root, folder, O_PATH);
  }
  if (state.folder < 0) return state.folder;
  state.folder_path = step.path;
  state.folder_size = size;
  return 0;
}

int ApplyMountStep(const Step& step, RootState& state) {
  const int root = state.root;
  // These may mount over what the open folder lies below.
  if (step.op >= Op::kCover && step.op <= Op::kSealMount) ForgetFolder(state);
  switch (step.op) {
    case Op::kNewRoot:
    case Op::kBindRoot:
      return NewRoot(step, state);
    case Op::kDirectory:
      return MakeDirectory(step, root);
    case Op::kSymlink:
      return sys::Symlink(step.text, root, Relative(step.path));
    case Op::kFile:
      return MakeFile(step, root);
    case Op::kBind:
      return Bind(step, state);
    case Op::kTmpfs:
      return MountNew(step, state, "tmpfs");
    case Op::kProc:
      return MountNew(step, state, "proc");
    case Op::kDevpts:
      return MountNew(step, state, "devpts");
    case Op::kMqueue:
      return MountNew(step, state, "mqueue");
    case Op::kMakeCovers:
      if (int error = MakeCoversInside(&state.covers, kStash); error < 0) return error;
      return state.covers.weak && !step.optional ? -EOPNOTSUPP : 0;
    case Op::kCover:
      return Cover(step, state);
    case Op::kMask:
      return Mask(step, state);
    case Op::kReadonly:
    case Op::kPin:
      return AttachOverItself(step, root);
    case Op::kSealMount:
      return SealMount(step, root);
    default:
      return ApplyBundleMountStep(step, state);
  }
}

}  // namespace mxc::sandbox
