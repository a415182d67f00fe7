// Attributes and propagation of a detached mount, as a step has them. Used by the parent, where it may prepare mounts, and
// by the child: system calls only.
#pragma once

#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

// flags, clear and propagation for the mount, and where step.recursive for those below; top_flags and top_clear for the
// mount itself. Attributes that aren't named stay as the source has them: in a user namespace the kernel locks those that
// restrict, and clearing one of them is -EPERM (mount_namespaces(7)).
//
// A copy of a shared mount is a peer of it: shared with the host, were it left so. MS_SLAVE | MS_SHARED first takes it
// out of the host's group, so that it still receives, and makes a new group for the container.
int SetAttributes(int mount, const Step& step);

}  // namespace mxc::sandbox
