// Resolve: policy, profile, managed floor and caller become one EffectivePolicy, in which everything is settled and each
// line knows where it came from. Pure: no file is opened, nothing is looked up, the same inputs give the same value and
// the same digest on Windows and Linux.
//
// The profile gives defaults; the policy overrides scalars and adds grants; what the profile denies falls only to a grant
// of exactly the same path; the floor narrows last. See path_tree.h for paths, environment.h for variables, doors.h for
// what is never granted.
#pragma once

#include <vector>

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/policy/effective.h"
#include "shared/policy/floor.h"
#include "shared/policy/policy.h"
#include "shared/policy/profile.h"

namespace mxc::policy {

// Errors have the place in the policy, the profile or the floor that is at fault.
// kUsage: there is no command; kInvalid: a path can't be translated, or the caller's home or directory is missing;
// kNotFound: no such profile; kUnsupported: not built yet (RefuseUnbuilt); kRefused: doors, floor, contradictions.
Result<EffectivePolicy> Resolve(const Policy& policy, const ProfileSet& profiles, const std::vector<Floor>& floors,
                                const Caller& caller, const CommandLine& command_line);

}  // namespace mxc::policy
