// Who is on the other end of a unix socket, and whether he may be: a process of this machine's own, not one inside a
// container, whoever it says to be.
#pragma once

#include <sys/types.h>

#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::daemon {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary, as they were when it connected
};

// Source: unix(7), SO_PEERCRED; SO_PEERPIDFD (Linux 6.5), else pidfd_open, with which a number that was used again in between
// is found out. Errors (kRefused): the peer's user or pid namespace or root folder is not this process's, its mount
// namespace is neither this process's nor that of pid 1 (uid 0 may have another one: WSL gives a distribution two), or it is
// gone.
Result<Peer> PeerOf(int socket);

}  // namespace mxc::daemon
