// Removing the empty groups that dead sandboxes left behind.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "linux_runtime/cgroup/hierarchy.h"

namespace mxc::cgroup {

// Looks where Create makes groups in `hierarchy`, at names that start with `prefix` (not empty), and removes those for
// which alive(name) is false and in which no process is. Returns how many folders went. What can't be removed stays
// for the next time: never an error, since a start must not fail for it. About 70 µs: call it once the program runs.
// Groups made below another parent (v1: by a caller in another cgroup) are not seen; Group::Open by their recorded
// paths finds them.
int Sweep(const Hierarchy& hierarchy, std::string_view prefix, const std::function<bool(const std::string&)>& alive);

}  // namespace mxc::cgroup
