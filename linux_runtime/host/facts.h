// What this host is and what the caller may do here, as the translator wants it: the part that every start needs, in
// well under 150 µs with the cgroups. What takes longer or only explains is in details.h.
#pragma once

#include "linux_runtime/cgroup/hierarchy.h"
#include "shared/base/result.h"
#include "shared/translate/host_facts.h"

namespace mxc::host {

// environment: as environ(7), null-terminated; all of it becomes caller.env. The caller is the real uid and gid; who is
// behind sudo is for the command line to decide. An error: the kernel's release can't be read, or the current directory
// is gone.
Result<translate::HostFacts> ProbeHost(const cgroup::Hierarchy& hierarchy, const char* const* environment);

// With Hierarchy::Probe() and the process's own environment.
Result<translate::HostFacts> ProbeHost();

}  // namespace mxc::host
