// seccomp(2) with classic BPF programs: numbers that Debian 12's headers don't all have, and the call that installs one.
// Source: include/uapi/linux/seccomp.h and audit.h of Linux 6.18.
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mxc::sys {

inline constexpr unsigned kSeccompSetModeFilter = 1;

inline constexpr uint32_t kSeccompFlagTsync = 1u << 0;
inline constexpr uint32_t kSeccompFlagLog = 1u << 1;               // Linux 4.14
inline constexpr uint32_t kSeccompFlagSpecAllow = 1u << 2;         // 4.17
inline constexpr uint32_t kSeccompFlagNewListener = 1u << 3;       // 5.0
inline constexpr uint32_t kSeccompFlagTsyncEsrch = 1u << 4;        // 5.7
inline constexpr uint32_t kSeccompFlagWaitKillableRecv = 1u << 5;  // 5.19

// A filter's answers; the low 16 bits are an errno (kSeccompErrno) or a message.
inline constexpr uint32_t kSeccompKillProcess = 0x80000000;  // Linux 4.14
inline constexpr uint32_t kSeccompKillThread = 0;
inline constexpr uint32_t kSeccompTrap = 0x00030000;
inline constexpr uint32_t kSeccompErrno = 0x00050000;
inline constexpr uint32_t kSeccompUserNotify = 0x7fc00000;
inline constexpr uint32_t kSeccompTrace = 0x7ff00000;
inline constexpr uint32_t kSeccompLog = 0x7ffc0000;
inline constexpr uint32_t kSeccompAllow = 0x7fff0000;

inline constexpr uint32_t kAuditArchX8664 = 0xc000003e;
inline constexpr uint32_t kAuditArchI386 = 0x40000003;
inline constexpr uint32_t kX32Bit = 0x40000000;  // set in the numbers of x32 calls, which have x86-64's audit value

// What a filter sees; its loads take offsets into this.
struct SeccompData {
  int32_t nr;
  uint32_t arch;
  uint64_t instruction_pointer;
  uint64_t args[6];
};
static_assert(sizeof(SeccompData) == 64 && offsetof(SeccompData, args) == 16);

// Installs a filter over this thread (all threads with kSeccompFlagTsync). Needs no_new_privs or CAP_SYS_ADMIN.
// Returns 0 (the listener's descriptor with kSeccompFlagNewListener) or -errno: EINVAL for a malformed program or a flag
// that this kernel doesn't know, ENOMEM when all filters together exceed 32768 instructions. Async-signal-safe.
inline int SeccompSetFilter(const sock_filter* code, size_t count, uint32_t flags) {
  sock_fprog program{static_cast<unsigned short>(count), const_cast<sock_filter*>(code)};
  long result = ::syscall(SYS_seccomp, kSeccompSetModeFilter, flags, &program);
  return result == -1 ? -errno : static_cast<int>(result);
}

// Whether this kernel knows all these flags, and takes them together: it looks at them before it reads the program.
inline bool SeccompTakesFlags(uint32_t flags) {
  return ::syscall(SYS_seccomp, kSeccompSetModeFilter, flags, nullptr) == -1 && errno == EFAULT;
}

}  // namespace mxc::sys
