// From a Plan to what its keeper needs.
#pragma once

#include <optional>

#include "linux_runtime/sandbox/cover_keeper.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/oci/extension.h"

namespace mxc::sandbox {

// Nothing when the plan guards no names. The caller adds the container's process, and whom the groups of inotify count for.
// Best called before the first fork: after one, each page that is written is copied.
std::optional<KeeperOptions> PlanKeeper(const Plan& plan, const oci::Extension& extension, bool privileged);

}  // namespace mxc::sandbox
