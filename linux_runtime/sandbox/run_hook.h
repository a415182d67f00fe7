// Runs the hooks of an OCI bundle: in the runtime's process and, for createContainer and startContainer, in the container's
// first one, where nothing may be allocated.
//
// Source: runtime-spec config.md, "POSIX-platform Hooks".
#pragma once

#include <cstddef>
#include <vector>

#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

struct HookFailure {
  size_t index = 0;     // in the list
  int error = 0;        // errno of fork or exec; ETIMEDOUT; 0: wait_status says
  int wait_status = 0;  // of a hook that ended by itself with something else than 0
  bool failed() const { return error != 0 || wait_status != 0; }
};

// Runs the hooks one after the other, until one fails. `state`: a sealed memory file, each hook's stdin, read from its start (a
// file never blocks and never gives EPIPE, whether a hook reads it or not). `output`: its stdout and stderr, or -1 to
// leave them as they are. Async-signal-safe.
HookFailure RunHooks(const std::vector<PlannedHook>& hooks, int state, int output);

}  // namespace mxc::sandbox
