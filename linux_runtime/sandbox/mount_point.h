// Where a bundle's mounts go: places in a root file system that strangers filled, and that another container may be
// changing this moment. A place is looked up below the root by one openat2(2), whatever links the image holds, and what
// is missing is made component by component, so that nothing is ever found or made outside (CVE-2019-16884,
// CVE-2021-30465, CVE-2024-45310). What is done afterwards goes by the descriptor.
//
// All functions here are system calls only: no allocation, async-signal-safe, a descriptor or -errno.
#pragma once

#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

// The step's mount point as an O_PATH descriptor, by the rules of step.point; a missing one is made: an empty file, or a
// folder where step.directory. made: whether it was. -EXDEV: it lies on a proc file system and may not (mounts there
// could hide from the runtime what it sets through /proc, CVE-2019-19921 and CVE-2025-52881).
int OpenMountPoint(int root, const Step& step, bool* made);

// The folder that `path` lies in, made where it is missing; -EXDEV on a proc file system.
int OpenFolderOf(int root, const char* path);

// The last component of an absolute path.
const char* LastName(const char* path);

}  // namespace mxc::sandbox
