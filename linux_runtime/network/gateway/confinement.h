// What a gateway at work may still do: nothing but its sockets.
#pragma once

namespace mxc::network {

// No file, no socket by name in the abstract namespace, nobody to send signals to (Landlock). 0 or -errno. A kernel without
// Landlock takes nothing: 0, and ids and the calls below are all that holds.
int LoseFiles();

// No system calls from now on but those of IP sockets, waiting and memory that can't be executed; others are EPERM. 0 or
// -errno; -ENOSYS on architectures that aren't known. Both need no_new_privs.
int KeepToGatewayCalls();

}  // namespace mxc::network
