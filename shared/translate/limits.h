// Limits of a sandbox as cgroup values where the host has the controller, else as rlimits where there is one.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"
#include "shared/policy/effective.h"
#include "shared/translate/host_facts.h"

namespace mxc::translate {

// Fills process.rlimits, linux.resources and extension.named_limits; spec.process must be set. Errors (kUnsupported):
// a limit that the policy or the floor names and the host can't enforce.
Result<void> AddLimits(const policy::EffectivePolicy& policy, const HostFacts& facts, oci::Spec& spec,
                       oci::Extension& extension, std::vector<std::string>& notes);

}  // namespace mxc::translate
