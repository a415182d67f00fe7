// From an OCI process to a Plan's: names become numbers, and what this host can't give becomes an error that names the
// field. Serves a container's first process and, with PlanContext::exec, another one of a running container.
#pragma once

#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

// Fills in the program and its attributes: argv, env, candidates, cwd, umask, capability sets, rlimits and, for a bundle,
// Plan::process. plan.process.user_namespace has to be set before.
// Errors: kInvalid for a name that doesn't exist or a value that makes no sense; kUnsupported for what this host or its
// caller can't do (raise a hard limit, an LSM that isn't there). Capabilities that the caller doesn't hold are left out and
// noted: config.md asks runtimes to warn and go on.
Result<void> PlanProcess(Plan& plan, const oci::Process& process, const PlanContext& context);

// "0-3,7" as a bit mask of whole words; empty for an empty list. Error: kInvalid, without the field.
Result<std::vector<unsigned long>> ParseNumberList(std::string_view list);

}  // namespace mxc::sandbox
