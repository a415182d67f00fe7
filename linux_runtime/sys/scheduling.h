// sched_setattr(2): the kernel's value or -errno.
#pragma once

#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

// Asks that this thread be run soon after it wakes, for short times: the nice value (lower ones need CAP_SYS_NICE) and,
// since Linux 6.12 and without privilege, the slice that the scheduler plans with; a short one is due earlier.
inline int SetPromptness(int nice, uint64_t slice_ns) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attr{sizeof attr, 0 /* SCHED_OTHER */, 0, nice, 0, slice_ns, 0, 0};
  return static_cast<int>(Check(::syscall(SYS_sched_setattr, 0, &attr, 0)));
}

}  // namespace mxc::sys
