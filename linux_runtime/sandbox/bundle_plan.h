// The parts of a plan that only plain OCI bundles have: namespaces by path, the bundle's own id maps, hooks.
#pragma once

#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

// CLONE_NEW* of the namespaces to make; those with a path are opened for the plan to join. Errors: kInvalid for a type
// that doesn't exist, is listed twice or that the path isn't one of; kUnsupported without a mount namespace.
Result<uint64_t> PlanBundleNamespaces(Plan& plan, const oci::Spec& spec);

// Id maps of a new user namespace, by the parent or by the child itself, and the ids for setting up: its root.
Result<void> PlanBundleIds(Plan& plan, const oci::Spec& spec, const PlanContext& context);

// Becomes the root of the container's user namespace or, where none is mapped, the first id that is.
void PlanSetUpIds(Plan& plan, const oci::Spec& spec);

// createContainer and startContainer hooks, and memory files for the state that they read.
Result<void> PlanHooks(Plan& plan, const oci::Hooks& hooks, const std::string& bundle);

// For execve. field: "hooks.poststop".
std::vector<PlannedHook> PrepareHooks(Plan& plan, const std::vector<oci::Hook>& hooks, const char* field,
                                      const std::string& folder = "");

}  // namespace mxc::sandbox
