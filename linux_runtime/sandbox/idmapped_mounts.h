// User namespaces from the parent's side: their maps, and the mounts that are idmapped by them (mount_setattr(2), Linux
// 5.12).
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/sandbox/plan.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

// Lines of /proc/PID/uid_map.
std::string MapText(const std::vector<IdRange>& map);
// Writes a file of /proc/PID in one call.
Result<void> WriteProc(int pid, const char* file, const std::string& text);

// A user namespace with the given maps and nobody in it.
Result<sys::UniqueFd> MakeUserNamespace(const std::string& uid_map, const std::string& gid_map);

// Maps the plan's prepared mounts. pid -1, before the container's first process exists: those with maps of their own;
// else those that go by its user namespace or the caller's ids. Errors: kUnsupported naming the mount whose file system
// can't be idmapped.
Result<void> MapMounts(const Plan& plan, int pid);

}  // namespace mxc::sandbox
