// Paths that lead out of a sandbox, whatever a policy says: mxc's own files, WSL's ways to Windows and to other
// distributions, sockets of container engines, desktop and message bus. By name only: sockets that lie elsewhere are as
// dangerous when they are granted.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/policy/effective.h"
#include "shared/policy/path_pattern.h"

namespace mxc::policy {

// Refuses (kRefused, kUnsupported) to grant `path`: /proc, /sys and /dev are made new for each sandbox; the paths above
// are never granted; mxc's programs and configuration are never granted read-write.
Result<void> CheckGrant(std::string_view path, Access access, const PathRoots& roots, const Caller& caller);

// Adds the rules that keep these paths shut inside the granted trees: with layer kBuiltin, so that a drive of Windows
// (the only ones that CheckGrant lets pass) can be granted by name.
void AddDoors(const PathRoots& roots, const Caller& caller, std::vector<PathRule>& rules);

}  // namespace mxc::policy
