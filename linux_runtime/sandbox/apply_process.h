// The child's side of a bundle's process: the switch to the program's user with the capability sets as written, and the
// rest of Plan::process. As in apply.h: system calls only, no allocation.
#pragma once

#include <cstdint>

#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

// 0 and a program, or the step (kStep* of status.h) that failed and its -errno.
struct Settled {
  uint32_t step = 0;
  int error = 0;
  const char* program = nullptr;  // the candidate that may be executed
};

// process.execCPUAffinity.initial: before anything else, since it holds while the process joins the cgroup. 0 or -errno.
int SetInitialAffinity(const Plan& plan);

// What the intermediate process of Plan::bundle.joins does before it gives up its rights by joining, for the container's
// process to inherit: the initial affinity and the OOM score. 0, or -errno and *step.
int PrepareToJoin(const Plan& plan, uint32_t* step);

// Applies one step of a bundle's process; 0 or -errno.
int ApplyProcessStep(const Step& step, const RootState& state);

// From the root of the container's user namespace to the program's process, all but exec: working folder, standard streams,
// scheduling, bounding set, groups, ids, capability sets, no_new_privs, Landlock; then finds the program, as its user sees
// it. After it nothing privileged is left but what the spec gives (and CAP_SYS_ADMIN until exec, when the filters need it).
Settled SettleProcess(const Plan& plan);

// Installs the plan's filters. A notifying one's listener goes over `parent`, and the parent reads it (Launched::
// Word::kListener). 0 or -errno.
int InstallFilters(const Plan& plan, int parent);

// The limits come last, since they hold for what the runtime does from here on, too. 0, or -errno and *resource.
int SetLimits(const Plan& plan, int* resource);

}  // namespace mxc::sandbox
