// The device rules of a group of cgroup v2, put in force.
#pragma once

#include <vector>

#include "linux_runtime/cgroup/device_rules.h"
#include "linux_runtime/cgroup/directory.h"

namespace mxc::cgroup {

// Loads the program of these rules and attaches it to the group, in place of one that an earlier call attached, in one
// step. Programs of others (systemd's) stay, and all must allow. EPERM: the caller has no CAP_BPF and CAP_NET_ADMIN (or
// CAP_SYS_ADMIN) in the host's user namespace.
Result<void> SetDevicesV2(const Directory& group, const std::vector<DeviceRule>& rules);

}  // namespace mxc::cgroup
