// The network part of Resolve.
#pragma once

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/policy/effective.h"
#include "shared/policy/policy.h"
#include "shared/policy/profile.h"

namespace mxc::policy {

// Fills what EffectivePolicy has of the network. Names that the profile allows are left out where the policy has a proxy, or says
// itself that network.egress.default is "deny": a default doesn't widen what was said. Errors: kNotFound, no such group of
// domains; those of the compilers in shared/network.
Result<void> ResolveNetwork(const Policy& policy, const ProfileSet& profiles, const Profile& profile,
                            const Caller& caller, EffectivePolicy& effective);

}  // namespace mxc::policy
