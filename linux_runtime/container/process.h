// A process that another run of the program wrote down: its number alone is no identity, since the kernel gives numbers
// again. With the time of its start it is one (proc(5), /proc/PID/stat, field 22), and a pidfd keeps it one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "linux_runtime/sys/fd.h"

namespace mxc::container {

struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // clock ticks after boot
};

struct ProcessLook {
  char state = '?';  // 'R', 'S', 'Z', …
  uint64_t start_ticks = 0;
};

// Nothing: there is no such process.
std::optional<ProcessLook> LookAtProcess(pid_t pid);

// The pidfd of exactly this process while it lives. Nothing: it is gone, a zombie, or the number is another's by now.
std::optional<sys::UniqueFd> OpenProcess(const ProcessIdentity& process);

// Waits until the process behind the pidfd has ended (and may be a zombie). False: not within the time.
bool AwaitProcessEnd(int pidfd, int milliseconds);

}  // namespace mxc::container
