#include "linux_runtime/sandbox/mount_attributes.h"

#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

int Set(int mount, bool below, const sys::MountAttr& attr) {
  if (attr.set == 0 && attr.clear == 0 && attr.propagation == 0) return 0;
  return sys::MountSetattr(mount, "", AT_EMPTY_PATH | (below ? AT_RECURSIVE : 0), attr);
}

// What every mount of the tree gets first; 0: it stays a peer of its source.
uint64_t FirstPropagation(const Step& step) {
  if ((step.propagation & MS_SLAVE) != 0) return MS_SLAVE;
  if ((step.propagation & MS_SHARED) != 0) return 0;
  return step.op == Op::kBind && Without("propagation") ? 0 : MS_PRIVATE;
}

}  // namespace

int SetAttributes(int mount, const Step& step) {
  sys::MountAttr whole{step.flags, step.clear, FirstPropagation(step), 0};
  sys::MountAttr top{step.top_flags, step.top_clear, step.propagation & (MS_SHARED | MS_UNBINDABLE), 0};
  if (!step.recursive) {
    whole.set |= top.set;
    whole.clear = (whole.clear & ~top.set) | top.clear;
    top.set = top.clear = 0;
  }
  if (int error = Set(mount, step.recursive, whole); error < 0) return error;
  const bool below = step.recursive && (step.propagation & MS_REC) != 0 && top.propagation != 0;
  if (below) {
    if (int error = Set(mount, true, {0, 0, top.propagation, 0}); error < 0) return error;
    top.propagation = 0;
  }
  return Set(mount, false, top);
}

}  // namespace mxc::sandbox
