// Starts a planned container: clone, id maps, idmapped mounts, and the word to go on. After that the container's first
// process walks the plan (apply.h) and reports over the status pipe.
#pragma once

#include <functional>

#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/plan.h"
#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

struct Launched {
  int pid = -1;  // of the first process, as this process counts
  sys::UniqueFd pidfd;
  sys::UniqueFd status;   // StatusRecords
  sys::UniqueFd parent;   // lifeline: as long as it is open, the container knows that its supervisor lives
  sys::UniqueFd console;  // master of the PTY when the plan has a terminal

  Running running() const { return {pid, pidfd.get(), status.get(), console.get()}; }

  // Waits until the root stands (a plan with guarded names stops there). False: a step failed; the status pipe says
  // which.
  bool AwaitRoot();
  // Lets the container's first process go on.
  Result<void> Continue();
  // Takes the PTY's master, when the plan has a terminal. Nothing is received when a step failed.
  void ReceiveConsole();
};

// Errors: kSystem naming the call; kUnsupported when this kernel or its settings refuse user namespaces, or a granted
// folder's file system can't be idmapped. Nothing is left behind on failure.
// attach: what connects the network namespace of process `pid` under the plan's rules; it is called before anything of the
// container's is set up. A plan with rules is not launched without it.
using AttachNetwork = std::function<Result<void>(int pid)>;
Result<Launched> Launch(Plan& plan, const ArgvArea& argv, const AttachNetwork& attach = {});

// What a failed step means, as an Error: "mount proc on /proc: EPERM (…)", with a hint where the cause is known.
Error StepError(const Plan& plan, uint32_t step, int error);

}  // namespace mxc::sandbox
