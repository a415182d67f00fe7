#include "linux_runtime/sandbox/apply_bundle_mounts.h"

#include <string.h>

#include "linux_runtime/sandbox/copy_up.h"
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
constexpr size_t kMostOptions = 32;

// mount(2), for what fsconfig(2) can't say: values of more than 255 bytes, and flags that have no name there.
int MountByName(const Step& step, RootState& state, int point) {
  // By the working folder, since this call takes no descriptor.
  if (int error = sys::Fchdir(point); error < 0) return error;
  const char* data = step.options == nullptr ? nullptr : step.options[0];
  int error = sys::Mount(step.text, ".", step.type, step.legacy, data);
  if (int back = sys::Chdir("/"); error >= 0 && back < 0) error = back;
  if (error < 0 || step.propagation == 0) return error;
  StepFd mount(OpenMountPoint(state.root, step, nullptr));
  return mount.failed() ? mount.get() : SetAttributes(mount.get(), step);
}

void Octal(char* out, unsigned mode) {
  for (int digit = 3; digit >= 0; --digit) *out++ = static_cast<char>('0' + (mode >> (3 * digit) & 7));
  *out = '\0';
}

// A tmpfs has the mode of the folder that it covers, unless an option says another, as under runc and crun.
int NewWithMode(const Step& step, int point) {
  struct stat covered;
  if (int error = sys::Fstat(point, &covered); error < 0) return error;
  char mode[5];
  Octal(mode, covered.st_mode & 07777);
  const char* options[kMostOptions + 3];
  size_t count = 0;
  for (; step.options != nullptr && step.options[count] != nullptr; ++count) {
    if (count == kMostOptions) return -E2BIG;
    options[count] = step.options[count];
  }
  options[count] = "mode";
  options[count + 1] = mode;
  options[count + 2] = nullptr;
  return NewFilesystem(step.type, step.text, options, step.flags);
}

bool NamesOwner(const Step& step) {
  for (const char* const* option = step.options; option != nullptr && *option != nullptr; option += 2) {
    if (strcmp(*option, "uid") == 0 || strcmp(*option, "gid") == 0) return true;
  }
  return false;
}

int MountFilesystem(const Step& step, RootState& state) {
  ForgetFolder(state);
  bool made = false;
  StepFd point(OpenMountPoint(state.root, step, &made));
  if (point.failed()) return point.get();
  if (step.legacy != 0) return MountByName(step, state, point.get());
  const char* source = step.or_bind ? step.type : step.text;
  StepFd mount(step.keep_mode && !made ? NewWithMode(step, point.get())
                                       : NewFilesystem(step.type, source, step.options, step.flags, step.optional));
  if (mount.get() == -EPERM && step.or_bind) {
    if (step.fd >= 0) return sys::MoveMount(step.fd, "", point.get(), "", kEmptyBoth);
    mount.reset(CloneSource(step));
  }
  if (mount.failed()) return mount.get();
  if (step.propagation != 0) {
    if (int error = SetAttributes(mount.get(), step); error < 0) return error;
  }
  if (step.copy_up && !made) {
    if (int error = CopyUp(point.get(), mount.get(), !NamesOwner(step)); error < 0) return error;
  }
  return sys::MoveMount(mount.get(), "", point.get(), "", kEmptyBoth);
}

bool IsNode(const struct stat& found, const Step& step) {
  return (found.st_mode & S_IFMT) == (step.mode & S_IFMT) && (S_ISFIFO(found.st_mode) || found.st_rdev == step.device);
}

int BindHostDevice(const Step& step, RootState& state) {
  StepFd source(sys::OpenAt2(AT_FDCWD, step.text, O_PATH, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  if (source.failed()) return source.get();
  struct stat found;
  if (int error = sys::Fstat(source.get(), &found); error < 0) return error;
  if (!IsNode(found, step)) return -ENODEV;
  StepFd mount(sys::OpenTree(source.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
  if (mount.failed()) return mount.get();
  if (int error = SetAttributes(mount.get(), Step{Op::kHostDevice}); error < 0) return error;
  const char* name = LastName(step.path);
  const int error = sys::Mknod(state.folder, name, S_IFREG | 0666, 0);
  if (error < 0 && error != -EEXIST) return error;
  // Whatever lies there is covered, a link too: it isn't followed.
  return sys::MoveMount(mount.get(), "", state.folder, name, kEmptyFrom);
}

int MakeDevice(const Step& step, RootState& state) {
  if (int error = OpenFolder(state, step); error < 0) return error;
  if (step.op == Op::kHostDevice) return BindHostDevice(step, state);
  const char* name = LastName(step.path);
  int error = sys::Mknod(state.folder, name, step.mode, step.device);
  if (error == -EPERM && step.text[0] != '\0') return BindHostDevice(step, state);
  if (error == -EEXIST) {
    // The image's own, when it is the same. A link is not: what it leads to, the image decides.
    StepFd there(sys::OpenAt2(state.folder, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS));
    struct stat found;
    if (there.failed()) return there.get();
    if (int failed = sys::Fstat(there.get(), &found); failed < 0) return failed;
    return IsNode(found, step) ? 0 : -EEXIST;
  }
  if (error < 0 || (step.flags == 0 && step.extra == 0)) return error;
  return sys::Chown(state.folder, name, static_cast<uid_t>(step.flags), static_cast<gid_t>(step.extra));
}

int MakeDeviceLink(const Step& step, RootState& state) {
  if (int error = OpenFolder(state, step); error < 0) return error;
  const char* name = LastName(step.path);
  int error = sys::Symlink(step.text, state.folder, name);
  if (error != -EEXIST) return error;
  if (!step.replace) return 0;
  error = sys::Unlink(state.folder, name);
  if (error == -EBUSY || error == -EISDIR) return 0;  // something is mounted there, as the specification's mounts say
  return error < 0 ? error : sys::Symlink(step.text, state.folder, name);
}

// crun's "copy-symlink": a link with another target is an error.
int CopyLink(const Step& step, RootState& state) {
  if (int error = OpenFolder(state, step); error < 0) return error;
  const char* name = LastName(step.path);
  const int error = sys::Symlink(step.text, state.folder, name);
  if (error != -EEXIST) return error;
  char target[4096];
  const long size = sys::Readlink(state.folder, name, target, sizeof target);
  const bool same =
      size == static_cast<long>(strlen(step.text)) && memcmp(target, step.text, static_cast<size_t>(size)) == 0;
  return same ? 0 : -EEXIST;
}

int Remount(const Step& step, RootState& state) {
  StepFd point(OpenMountPoint(state.root, step, nullptr));
  if (point.failed()) return point.get();
  const unsigned below = step.recursive ? AT_RECURSIVE : 0;
  sys::MountAttr attr{step.flags, step.clear, step.propagation, 0};
  return sys::MountSetattr(point.get(), "", AT_EMPTY_PATH | below, attr);
}

}  // namespace

int AttachInBundle(int mount, RootState& state, const Step& step) {
  ForgetFolder(state);
  StepFd point(OpenMountPoint(state.root, step, nullptr));
  return point.failed() ? point.get() : sys::MoveMount(mount, "", point.get(), "", kEmptyBoth);
}

int AttachBundleRoot(int mount, const Step& step) {
  // What is made in the root has the modes that it is made with; the program's own comes later.
  ::umask(022);
  StepFd place(sys::OpenAt2(AT_FDCWD, step.text, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  if (place.failed()) return sys::MoveMount(mount, "", AT_FDCWD, kRootPlace, kEmptyFrom);
  return sys::MoveMount(mount, "", place.get(), "", kEmptyBoth);
}

int ApplyBundleMountStep(const Step& step, RootState& state) {
  switch (step.op) {
    case Op::kFilesystem:
      return MountFilesystem(step, state);
    case Op::kDevice:
    case Op::kHostDevice:
      return MakeDevice(step, state);
    case Op::kDeviceLink:
      return MakeDeviceLink(step, state);
    case Op::kCopyLink:
      return CopyLink(step, state);
    case Op::kRemount:
      return Remount(step, state);
    case Op::kPropagation:
      return sys::Mount(nullptr, "/", nullptr, step.flags, nullptr);
    default:
      return -EINVAL;
  }
}

}  // namespace mxc::sandbox
