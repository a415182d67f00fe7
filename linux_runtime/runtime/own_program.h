// Keeps the runtime's own program from being written through /proc/PID/exe by what it runs (CVE-2019-5736): an image may
// name /proc/self/exe as its program, or as the interpreter of a script, and root inside may be root outside.
//
// The program starts itself once more from a place that nobody can write: a read-only clone of the mount that it lies on
// (open_tree(2) and mount_setattr(2), Linux 5.12), attached nowhere; without the right to clone mounts, a sealed copy in
// memory (memfd_create(2)). On a file system that is read-only already it goes on as it is.
#pragma once

#include "linux_runtime/runtime/options.h"
#include "shared/base/result.h"

namespace mxc::runtime {

// create, run and exec: those from whose process a container's is made.
bool RunsPrograms(Command command);

// Returns when the program is one that nobody can write. Errors: kSystem naming the call.
Result<void> SealOwnProgram(char** argv);

}  // namespace mxc::runtime
