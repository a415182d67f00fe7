// The environment of a run. Nothing of the caller's comes in but variables that profile or policy name, and some never do.
//
//   process.env absent       the default block: PATH, TERM, HOME, the profile's variables, passed ones
//   process.env: []          nothing
//   process.env: [...]       exactly these
//   with inheritDefaultEnv   the default block, overridden by the list
//
// What x-linux.env.pass names is added in every case, below the list. HOME is process.cwd, as in Microsoft's executor;
// without one the caller's home if it can be read inside, else /tmp, which is private and always there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/policy/effective.h"
#include "shared/policy/floor.h"
#include "shared/policy/profile.h"

namespace mxc::policy {

// Why a variable of the caller is never passed on, or "" if it may be: it names a socket or a server outside, or makes
// programs load code.
std::string_view WhyNeverPassed(std::string_view name);

// Fills env and env_pass. Needs policy.paths, policy.cwd and policy.resources.
// Errors (kRefused): a variable that is never passed on.
Result<void> ResolveEnvironment(const Policy& policy, const Profile& profile, const std::vector<Floor>& floors,
                                const Caller& caller, EffectivePolicy& effective);

}  // namespace mxc::policy
