// Inside of create.cc, create_at.cc and manager.cc: what all ways to make a group do.
#pragma once

#include <string>

#include "linux_runtime/cgroup/directory.h"
#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/limits.h"

namespace mxc::cgroup {

// A limit whose controller isn't there; why: "" or the reason.
Error NoController(const Setting& setting, const std::string& why);
// v1's new cpusets are empty and take no task before they have processors and memory nodes: the parent's, for what
// isn't set.
Result<void> SeedCpuset(const Directory& parent, const Directory& group);
// The first limit whose controller a new group lacks, before anything is written.
Result<void> CheckControllers(const Group& group, const std::vector<Setting>& settings, const Hierarchy& hierarchy);

}  // namespace mxc::cgroup
