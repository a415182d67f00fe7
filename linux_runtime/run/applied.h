// What enforces each field of a policy in one run, for the exit report: "declaration alone is no evidence".
#pragma once

#include <vector>

#include "linux_runtime/sandbox/plan.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"
#include "shared/report/exit_report.h"

namespace mxc::run {

// cgroup: the controllers' version ("cgroup v1", "cgroup v2"), or "" when the run has no group.
std::vector<report::Applied> AppliedFields(const oci::Spec& spec, const oci::Extension& extension,
                                           const sandbox::Plan& plan, const std::string& cgroup);

// Granted, denied and protected paths with the layers that hold each, and the rule where the annotations name it.
std::vector<report::PathLine> AppliedPaths(const oci::Extension& extension, const sandbox::Plan& plan);

}  // namespace mxc::run
