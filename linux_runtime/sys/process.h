// Attributes of the calling process that no other header here has: the kernel's value or -errno, async-signal-safe.
#pragma once

#include <linux/keyctl.h>
#include <sys/personality.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

// sched_attr of sched_setattr(2), Linux 3.14 (its first 48 bytes). Times in nanoseconds.
struct SchedulerAttr {
  uint32_t size = sizeof(SchedulerAttr);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;
};
inline int SetScheduler(const SchedulerAttr& attr) {
  return static_cast<int>(Check(::syscall(SYS_sched_setattr, 0, &attr, 0)));
}

// ioprio_set(2) for the calling thread: class << 13 | level.
inline int SetIoPriority(int value) { return static_cast<int>(Check(::syscall(SYS_ioprio_set, 1, 0, value))); }

// set_mempolicy(2). nodes: a bit mask of `bits` bits, nullptr for none.
inline int SetMemoryPolicy(int mode, const unsigned long* nodes, unsigned long bits) {
  return static_cast<int>(Check(::syscall(SYS_set_mempolicy, mode, nodes, bits)));
}

inline int SetPersonality(unsigned long persona) {
  return static_cast<int>(Check(::syscall(SYS_personality, persona)));
}

// sched_setaffinity(2) for the calling thread; `size` in bytes.
inline int SetAffinity(const unsigned long* mask, size_t size) {
  return static_cast<int>(Check(::syscall(SYS_sched_setaffinity, 0, size, mask)));
}

// A new session keyring that nobody else can join by name (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING); its id.
inline int NewSessionKeyring() {
  return static_cast<int>(Check(::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr)));
}

// The working folder as the kernel writes it: "(unreachable)/…" when it lies outside the root. Its length or -errno.
inline long GetCwd(char* buffer, size_t size) { return Check(::syscall(SYS_getcwd, buffer, size)); }

// Whether what `fd` (O_PATH will do) refers to may be used so by the effective ids and capabilities: faccessat2(2), Linux 5.8.
inline int MayAccess(int fd, int mode) {
  return static_cast<int>(Check(::syscall(439 /* faccessat2 */, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS)));
}

// capget(2): the calling thread's sets.
inline int GetCapabilities(CapabilitySets* sets) {
  struct {
    uint32_t version;
    int pid;
  } header{0x20080522, 0};
  uint32_t data[6] = {};
  if (int error = CapGet(&header, data); error < 0) return error;
  sets->effective = data[0] | uint64_t{data[3]} << 32;
  sets->permitted = data[1] | uint64_t{data[4]} << 32;
  sets->inheritable = data[2] | uint64_t{data[5]} << 32;
  return 0;
}

// prlimit64(2) on another process: reads into `old`, sets from `wanted`; either may be null.
inline int Prlimit(pid_t pid, int resource, const rlimit64* wanted, rlimit64* old) {
  return static_cast<int>(Check(::prlimit64(pid, static_cast<__rlimit_resource>(resource), wanted, old)));
}

}  // namespace mxc::sys
