// fanotify(7) as it is: the kernel's value or -errno. Making a group needs CAP_SYS_ADMIN in the initial user namespace;
// marking single inodes with a group that one already holds needs only read permission on the inode.
#pragma once

#include <sys/fanotify.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

inline int FanotifyInit(unsigned flags, unsigned event_flags) {
  return static_cast<int>(Check(::fanotify_init(flags | FAN_CLOEXEC | FAN_NONBLOCK, event_flags | O_CLOEXEC)));
}
// Marks the inode of the folder that `directory` (O_PATH will do) refers to.
inline int FanotifyMarkFolder(int group, uint64_t mask, int directory) {
  return static_cast<int>(Check(::fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_ONLYDIR, mask, directory, ".")));
}

}  // namespace mxc::sys
