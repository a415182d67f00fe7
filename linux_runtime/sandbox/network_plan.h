// The network of a sandbox in its plan: the rules as lines, to be shown and compared. Whoever launches the plan brings
// the engine that enforces them (launch.h).
#pragma once

#include "linux_runtime/sandbox/build_plan.h"
#include "shared/oci/extension.h"

namespace mxc::sandbox {

// Errors: kUnsupported where no engine of ours would enforce the rules.
Result<void> PlanNetwork(Plan& plan, const oci::Extension& extension, const PlanContext& context);

}  // namespace mxc::sandbox
