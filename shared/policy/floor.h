// The managed floor: what the owner of a machine forbids, in files of /etc/mxc/policy.d (docs/managed-floor.md). It is
// applied last, at every entry point, and only ever narrows.
//
// Paths and limits are sets and sizes, so the floor cuts them down and the run goes on: `why` names the floor where
// something is missing. Options (a profile, nesting, network access) can't be had by half, so asking for a forbidden one
// ends the run with an error that names the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/effective.h"
#include "shared/policy/path_pattern.h"
#include "shared/policy/policy.h"
#include "shared/policy/windows_path.h"

namespace mxc::policy {

enum class Forbidden : uint8_t { kNesting, kGpu, kHostRoot, kRootfs, kEgress, kIngress, kHostLoopback };

struct Floor {
  std::string file;                   // as errors and `why` name it
  std::vector<PathPattern> denied;    // no access at or below, whatever longer path is granted
  std::vector<PathPattern> readonly;  // at most read-only at or below
  std::optional<std::vector<Sourced<DrivePath>>>
      drives_only;  // of Windows' drives nothing but this and what lies below
  std::vector<Sourced<DrivePath>> drives_denied;
  std::optional<std::vector<std::string>> profiles;  // the only ones that may be used
  std::optional<std::vector<std::string>> seccomp;   // the only lists that may be used
  std::vector<std::string> env_deny;                 // names that are never passed on
  std::vector<Sourced<Forbidden>> forbid;
  Resources maximum;
  Origin maximum_origin;
  std::optional<Sourced<uint32_t>> timeout_ms;     // the longest; a run without a time-out gets this one
  std::optional<Sourced<bool>> landlock_required;  // only true does something
  std::optional<Sourced<OnExposed>> on_exposed;    // at least as strict
  std::optional<Sourced<OnMissing>> on_missing;    // at least as strict: watch < seal < refuse
  TextPool pool;
};

// Strict: a floor that can't be read as a whole is an error, and then nothing runs.
Result<Floor> ReadFloor(std::string_view text, const std::string& file);

// Reads all (file name, content), in the order of their names.
Result<std::vector<Floor>> ReadFloors(std::vector<std::pair<std::string, std::string>> texts);

// Refuses (kRefused) a profile that the floor doesn't list.
Result<void> CheckProfile(const Floor& floor, std::string_view profile);

// Cuts `tree` (sorted, one rule a path) down to what the floor leaves. Errors (kRefused): a path of the floor starts from
// something that isn't known, so it can't be enforced; a grant holds a denied folder of a drive, or all drives.
Result<void> NarrowPaths(const Floor& floor, const PathRoots& roots, std::vector<PathRule>& tree);

// The part of it that is about Windows' drives. Their names are compared without regard to the case of ASCII letters, as Windows
// does, so a denial below a grant could be gone around by another spelling: such a grant is refused.
Result<void> NarrowDrives(const Floor& floor, std::string_view automount_root, std::vector<PathRule>& tree);

// Cuts limits and refuses forbidden options of a policy that is complete but for its paths, environment and digest.
Result<void> NarrowOptions(const Floor& floor, EffectivePolicy& policy);

// True if the floor lets the variable through.
bool MayPass(const Floor& floor, std::string_view variable);

}  // namespace mxc::policy
