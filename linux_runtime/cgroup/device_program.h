// The device rules of a group of cgroup v2 as a BPF program (BPF_PROG_TYPE_CGROUP_DEVICE): the kernel runs it at each
// open and mknod of a device file, and 0 denies.
//
// The rules are tried from the last to the first. Each kind of access that is asked for (read, write, mknod) is settled
// by the first rule tried that matches the device and names it, so that the last rule written wins, for each on its own.
#pragma once

#include <linux/bpf.h>

#include <vector>

#include "linux_runtime/cgroup/device_rules.h"

namespace mxc::cgroup {

// At most ten instructions a rule. The kernel takes 4096 in all from processes without CAP_BPF and a million with it.
std::vector<bpf_insn> DeviceProgram(const std::vector<DeviceRule>& rules);

}  // namespace mxc::cgroup
