// The path part of Resolve.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/policy/effective.h"
#include "shared/policy/floor.h"
#include "shared/policy/policy.h"
#include "shared/policy/profile.h"

namespace mxc::policy {

// Where `pointer` of the policy is, for errors and origins.
Position PlaceInPolicy(const Policy& policy, const std::string& pointer);
Origin PolicyOrigin(const Policy& policy, std::string pointer);

// A path of the policy in Linux's normal form; Windows spellings are translated. Errors have the place.
Result<std::string> LinuxPath(const Policy& policy, std::string_view text, const std::string& pointer,
                              const Caller& caller);

// What profiles' variables stand for in this run. `cwd` is process.cwd, already translated, if the policy has one.
Result<PathRoots> RootsOf(const Caller& caller, const std::optional<std::string>& cwd);

// The settled tree: profile, policy, doors, floors. With a rootfs the profile's base system is left out.
Result<std::vector<PathRule>> ResolvePaths(const Policy& policy, const Profile& profile,
                                           const std::vector<Floor>& floors, const Caller& caller,
                                           const PathRoots& roots, bool has_rootfs);

}  // namespace mxc::policy
