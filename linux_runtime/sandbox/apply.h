// The child's side: walks a Plan between clone and exec. System calls only: no allocation, no locks, no exceptions; a
// failing step goes over the status pipe as (step, errno), and the child exits.
#pragma once

#include <cstddef>

#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

struct ChildDescriptors {
  int status = -1;  // write end of the status pipe
  int parent = -1;  // one end of a socket pair: lifeline, "go", and the way out for the PTY's master
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
  const char* folder_path = nullptr;  // of folder_size bytes, not terminated there; with the slash at its end
  size_t folder_size = 0;
  int null = -1;                           // the container's /dev/null, known to be it
  int empty_folder = -1;                   // an attached mount of an empty read-only folder
  int console = -1;                        // slave of the PTY, once kConsole has opened it
  const LandlockPlan* landlock = nullptr;  // nullptr: no rules
  int ruleset = -1;                        // made from it ahead of time
};

// Where a sandbox's root is attached before pivot_root: a folder on every Linux, below which no source lies.
inline constexpr const char* kRootPlace = "/proc";

// Applies one step that builds the root; 0 or -errno.
int ApplyMountStep(const Step& step, RootState& state);
// A detached copy of the planned source with the step's options, or -errno.
int CloneSource(const Step& step);
// Sees to it that state.folder is the folder in which the step's path lies; 0 or -errno.
int OpenFolder(RootState& state, const Step& step);
void ForgetFolder(RootState& state);
// enter_root.cc: the new root becomes /, the old one is gone. step.optional: without pivot_root. 0 or -errno.
// step.flags 1: tells the parent as soon as the new root is this process's (Word::kRootStands).
int EnterRoot(const Step& step, int root, int parent);

// A program to run inside: the plan's own, or one that the supervisor asks for later (program_server.h).
struct Program {
  const char* const* argv = nullptr;  // these three null-terminated
  const char* const* env = nullptr;
  const char* const* candidates = nullptr;  // paths to try
  const char* cwd = "/";
  bool cwd_required = true;
  uint8_t terminal_streams = 0;  // as Plan's; 0: no terminal
  uint16_t rows = 0, columns = 0;
  int streams[3] = {0, 1, 2};  // what becomes its standard streams
  uint32_t id = 0;             // StatusRecord::program
};
// Starts it as a child of this process, with the plan's limits and filters. Returns its pid when it has executed or has failed,
// which the status pipe then says; or -errno.
pid_t StartProgram(const Plan& plan, const Program& program, const ChildDescriptors& descriptors);

// Reports a failed step over the status pipe and ends the process.
[[noreturn]] void Fail(int status, uint32_t step, int error);
[[noreturn]] void FailHook(int status, uint32_t step, const struct HookFailure& failure);

// Dispositions and mask as a new program expects them.
void ResetSignals();

// apply_bundle.cc: what comes after the steps in the container of a plain bundle. Never returns.
[[noreturn]] void RunBundleProgram(const Plan& plan, const ChildDescriptors& descriptors, RootState& state);
// kConsole.
int OpenBundleConsole(const Plan& plan, const Step& step, int parent, RootState& state);

}  // namespace mxc::sandbox
