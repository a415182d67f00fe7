// The container's pid 1 when the program is not: reaps orphans, passes signals on to the program, reports its end, and
// by its own end makes the kernel kill everything that is left.
#pragma once

#include <sys/types.h>

namespace mxc::sandbox {

// program: the program's pid, leader of its own session. status: write end of the status pipe. Never returns.
// Called with all signals blocked, no capability and no_new_privs; takes on a seccomp filter of a dozen calls.
[[noreturn]] void RunReaper(pid_t program, int status);

}  // namespace mxc::sandbox
