// A sandbox that serves programs: its pid 1 starts whatever its supervisor asks for, one after the other and side by side. The
// namespaces, mounts, Landlock rules and dropped privileges are its own and go over to each program at the fork; limits and
// filters are applied to each before exec. So a start costs a fork and an exec.
#pragma once

#include "linux_runtime/sandbox/apply.h"

namespace mxc::sandbox {

// Called with all signals blocked, privileges gone and not dumpable. Never returns; ends when its supervisor does.
[[noreturn]] void ServePrograms(const Plan& plan, const ChildDescriptors& descriptors);

}  // namespace mxc::sandbox
