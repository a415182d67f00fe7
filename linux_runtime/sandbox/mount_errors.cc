#include "linux_runtime/sandbox/mount_errors.h"

#include <errno.h>
#include <string.h>

namespace mxc::sandbox {
namespace {

constexpr const char* kNoProc =
    "parts of /proc are covered where mxc runs (inside another container?), and the kernel then gives no new one; run "
    "mxc "
    "outside, or as root";

bool IsType(const Step& step, const char* type) { return strcmp(step.type, type) == 0; }

const char* FilesystemHint(const Step& step, int error) {
  if (error == EPERM && IsType(step, "proc")) return kNoProc;
  if (error == EPERM && IsType(step, "sysfs")) {
    return "the kernel gives a sysfs only to who owns the network namespace, and only where no part of /sys is "
           "covered; bind "
           "/sys instead";
  }
  if (error == EPERM && IsType(step, "mqueue")) {
    return "the kernel gives an mqueue only to who owns the ipc namespace; bind /dev/mqueue instead";
  }
  if (error == EPERM) return "most file systems can be mounted by the host's root only, not in a user namespace";
  if (error == ENODEV) return "this kernel doesn't know the type of file system";
  if (error == EINVAL) return "one of the options is none of this file system's, or its value is wrong";
  return nullptr;
}

const char* PointHint(const Step& step, int error) {
  switch (error) {
    case EXDEV:
      return "the mount point leads to a proc file system, where a mount could keep the runtime from setting up the "
             "container";
    case ELOOP:
      return (step.point & kPointNoLinks) != 0
                 ? "in the image the mount point is a symbolic link, or lies behind one: it has to be a folder"
                 : "the image's symbolic links lead in a circle";
    case EROFS:
      return "the mount point is missing, and what it lies in is read-only";
    case ENOTDIR:
    case EINVAL:
      if (error == EINVAL && (step.op != Op::kBind || step.directory)) return nullptr;
      return "a folder goes on a folder and a file on a file, and the image has the other kind there";
    default:
      return nullptr;
  }
}

}  // namespace

const char* MountHint(const Step& step, int error) {
  if (step.point != 0) {
    if (const char* hint = PointHint(step, error); hint != nullptr) return hint;
  }
  if (step.op == Op::kFilesystem) return FilesystemHint(step, error);
  if (step.op == Op::kProc && error == EPERM) return kNoProc;
  if (step.op == Op::kBind && error == EPERM) {
    return "in a user namespace the kernel locks what restricts a mount: leave rw, suid, dev, exec and the access-time "
           "options "
           "out, and it stays as it is";
  }
  if (step.op == Op::kBind && error == EINVAL && !step.recursive) {
    return "in a user namespace a folder can't be shown without what is mounted below it: use rbind";
  }
  if (step.op == Op::kDevice && error == EEXIST) return "the image has something else in the device's place";
  if (step.op == Op::kHostDevice && error == ENODEV) return "the host's device was replaced; run it again";
  if (step.op == Op::kMask && error == ENODEV)
    return "the container's /dev/null, which hides files, is not the null device";
  return nullptr;
}

}  // namespace mxc::sandbox
