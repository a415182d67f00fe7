// The child's side: walks a Plan between clone and exec. System calls only: no allocation, no locks, no exceptions; a
// failing step goes over the status pipe as (step, errno), and the child exits.
#pragma once

#include <cstddef>

#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

struct ChildDescriptors {
  int status = -1;   // write end of the status pipe
  int parent = -1;   // one end of a socket pair: lifeline, "go", and the way out for the PTY's master
};

// Memory of the process's own argv, wiped in the child so that /proc/1/cmdline shows nothing of the host.
struct ArgvArea {
  char* start = nullptr;
  size_t size = 0;
};

// Never returns: becomes the container's first process, or exits after a failed step.
[[noreturn]] void RunChild(const Plan& plan, const ChildDescriptors& descriptors, const ArgvArea& argv);

// What the mount steps of one child share.
struct RootState {
  int root = -1;       // descriptor of the new root
  CoverSource covers;  // the child's copy
  // The folder that the last mount point lies in, for the next one: open, below `root`.
  int folder = -1;
  const char* folder_path = nullptr;  // of folder_size bytes, not terminated there
  size_t folder_size = 0;
  const LandlockPlan* landlock = nullptr;  // nullptr: no rules
  int ruleset = -1;                        // made from it ahead of time
};

// Applies one step that builds the root; 0 or -errno.
int ApplyMountStep(const Step& step, RootState& state);

}  // namespace mxc::sandbox
