// The system calls of a gateway at work.
#pragma once

namespace mxc::network {

// Lets this process make no others from now on (EPERM): no files, no processes, no memory that can be executed. Needs
// no_new_privs. 0 or -errno; architectures that aren't known have none: -ENOSYS.
int KeepToGatewayCalls();

}  // namespace mxc::network
