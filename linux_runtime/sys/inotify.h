// inotify(7) as it is: the kernel's value or -errno.
#pragma once

#include <sys/inotify.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

inline int InotifyInit() { return static_cast<int>(Check(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK))); }

// Watches the folder that `directory` (O_PATH will do) refers to. The system call takes only a path, so the process's
// working directory is changed to it. Returns the watch descriptor: the same one for the same inode.
inline int InotifyAddFolder(int inotify, int directory, uint32_t mask) {
  if (int error = Fchdir(directory); error < 0) return error;
  return static_cast<int>(Check(::inotify_add_watch(inotify, ".", mask)));
}
inline int InotifyRemove(int inotify, int watch) { return static_cast<int>(Check(::inotify_rm_watch(inotify, watch))); }

}  // namespace mxc::sys
