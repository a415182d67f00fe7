// What only the parent may do to a bundle's process: it holds rights on the host that the child gave up with its user
// namespace. Called between clone and the word to go on.
#pragma once

#include "linux_runtime/sandbox/plan.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

// Sets the OOM score, makes room for hard limits above the caller's (the child sets the limits themselves, last), moves
// network devices in and joins the resctrl group.
// Errors: kSystem, naming the field of config.json.
Result<void> ApplyFromOutside(const Plan& plan, int pid);

}  // namespace mxc::sandbox
