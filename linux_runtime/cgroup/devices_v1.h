// The devices controller of cgroup v1: devices.allow and devices.deny (admin-guide/cgroup-v1/devices.rst).
#pragma once

#include "linux_runtime/cgroup/device_rules.h"
#include "linux_runtime/cgroup/directory.h"

namespace mxc::cgroup {

// Sets what the group may use. in_use: it holds processes, so only what differs is written, allowances first, and no
// device that stays allowed is denied for a moment. EPERM: the caller lacks CAP_SYS_ADMIN of the host's user namespace,
// or a group above allows less.
Result<void> SetDevicesV1(const Directory& group, const DeviceTable& table, bool in_use);

}  // namespace mxc::cgroup
