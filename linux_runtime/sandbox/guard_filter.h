// The guard filter: a few hand-assembled instructions that every sandbox gets besides its list, also when a caller brings
// a list of his own. The kernel takes the strictest answer of all filters, so no list can open what the guard shuts:
//
// - AF_VSOCK sockets (EAFNOSUPPORT). Under WSL they reach services of Windows that serve all drives with the user's
//   rights, whatever namespaces a container has. The family is compared as the kernel does, by its low 32 bits.
// - io_uring (ENOSYS), whose rings make sockets and open files without a system call.
// - Calls of foreign architectures: i386 ends the process, x32 gets ENOSYS. With these left open, AF_VSOCK is shut there too.
//
// It answers every other call by its number alone, so the kernel's cache of constant answers (5.11) keeps working.
// It can't stop a vsock descriptor that is passed in over a unix socket.
#pragma once

#include "linux_runtime/sandbox/seccomp.h"

namespace mxc::sandbox {

struct GuardOptions {
  bool vsock = true;     // refuse AF_VSOCK
  bool io_uring = true;  // io_uring_* is ENOSYS
  bool foreign = true;   // refuse i386 and x32; false for bundles that list these architectures
};

// Install it before the list's program, which may refuse seccomp(2) itself.
SeccompProgram GuardFilter(const GuardOptions& options = {});

}  // namespace mxc::sandbox
