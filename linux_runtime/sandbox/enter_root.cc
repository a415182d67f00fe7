// The new root becomes /.
#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

// Without pivot_root the old root stays below the new one. Nobody inside gets there without CAP_SYS_CHROOT and a way
// around; but a proc or sysfs without masks that is left there would let the kernel mount others like it in a user
// namespace (mount_too_revealing in fs/namespace.c), so they go first.
int HideOld(const char* path) {
  const int error = sys::Umount(path, MNT_DETACH);
  if (error >= 0 || error == -ENOENT) return 0;
  // Not a mount of its own, or one that is locked to what it lies on.
  return error == -EINVAL || error == -EPERM ? sys::Mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=4k") : error;
}

int MoveRoot(int root) {
  if (int error = sys::Fchdir(root); error < 0) return error;
  if (int error = sys::Mount(".", "/", nullptr, MS_MOVE, nullptr); error < 0) return error;
  // Until chroot(2) paths start from the old root.
  for (const char* path : {"/proc", "/sys"}) {
    if (int error = HideOld(path); error < 0) return error;
  }
  if (int error = static_cast<int>(sys::Check(::chroot("."))); error < 0) return error;
  return sys::Chdir("/");
}

}  // namespace

int EnterRoot(const Step& step, int root, int parent) {
  if (step.optional) {
    if (int error = MoveRoot(root); error < 0) return error;
    return step.flags != 0 ? Tell(parent, Word::kRootStands) : 0;
  }
  if (int error = sys::Fchdir(root); error < 0) return error;
  // With both arguments ".", the old root ends up on top of the new one (pivot_root(2), NOTES), and is taken off.
  if (int error = sys::PivotRoot(".", "."); error < 0) return error;
  // Whoever waits for the root reaches it through /proc/PID/root. Taking off the old one waits for an RCU grace period, and
  // nobody else has to.
  if (step.flags != 0) {
    if (int error = Tell(parent, Word::kRootStands); error < 0) return error;
  }
  if (int error = sys::Umount(".", MNT_DETACH); error < 0) return error;
  return sys::Chdir("/");
}

}  // namespace mxc::sandbox
