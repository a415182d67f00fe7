// The three Landlock calls, as they are: the kernel's value or -errno, no allocation, async-signal-safe. The structures and
// rights are our own, since Debian 12's headers end at ABI 2.
// Source: include/uapi/linux/landlock.h of Linux 6.18 (ABI 7).
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mxc::sys {

// Access to files below a folder, or to one file.
inline constexpr uint64_t kLandlockExecute = 1u << 0;
inline constexpr uint64_t kLandlockWriteFile = 1u << 1;
inline constexpr uint64_t kLandlockReadFile = 1u << 2;
inline constexpr uint64_t kLandlockReadDir = 1u << 3;
inline constexpr uint64_t kLandlockRemoveDir = 1u << 4;
inline constexpr uint64_t kLandlockRemoveFile = 1u << 5;
inline constexpr uint64_t kLandlockMakeChar = 1u << 6;
inline constexpr uint64_t kLandlockMakeDir = 1u << 7;
inline constexpr uint64_t kLandlockMakeReg = 1u << 8;
inline constexpr uint64_t kLandlockMakeSock = 1u << 9;
inline constexpr uint64_t kLandlockMakeFifo = 1u << 10;
inline constexpr uint64_t kLandlockMakeBlock = 1u << 11;
inline constexpr uint64_t kLandlockMakeSym = 1u << 12;
inline constexpr uint64_t kLandlockRefer = 1u << 13;     // ABI 2, Linux 5.19
inline constexpr uint64_t kLandlockTruncate = 1u << 14;  // ABI 3, Linux 6.2
inline constexpr uint64_t kLandlockIoctlDev = 1u << 15;  // ABI 5, Linux 6.10

// The rights that a rule on something other than a folder may carry; others make landlock_add_rule fail with EINVAL.
inline constexpr uint64_t kLandlockFileRights =
    kLandlockExecute | kLandlockWriteFile | kLandlockReadFile | kLandlockTruncate | kLandlockIoctlDev;

inline constexpr uint64_t kLandlockBindTcp = 1u << 0;     // ABI 4, Linux 6.7
inline constexpr uint64_t kLandlockConnectTcp = 1u << 1;  // ABI 4

inline constexpr uint64_t kLandlockScopeAbstractUnix = 1u << 0;  // ABI 6, Linux 6.12
inline constexpr uint64_t kLandlockScopeSignal = 1u << 1;        // ABI 6

// Flags of landlock_restrict_self: ABI 7, Linux 6.15.
inline constexpr uint32_t kLandlockLogSameExecOff = 1u << 0;
inline constexpr uint32_t kLandlockLogNewExecOn = 1u << 1;
inline constexpr uint32_t kLandlockLogSubdomainsOff = 1u << 2;

struct LandlockRulesetAttr {
  uint64_t handled_access_fs = 0;
  uint64_t handled_access_net = 0;  // ABI 4
  uint64_t scoped = 0;              // ABI 6
};
struct [[gnu::packed]] LandlockPathBeneathAttr {
  uint64_t allowed_access = 0;
  int32_t parent_fd = -1;
};
struct LandlockNetPortAttr {
  uint64_t allowed_access = 0;
  uint64_t port = 0;  // host byte order
};

// The highest ABI of this kernel; -ENOSYS: built without Landlock, -EOPNOTSUPP: switched off at boot.
inline int LandlockAbi() {
  long result =
      ::syscall(444 /* landlock_create_ruleset */, nullptr, size_t{0}, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
  return result == -1 ? -errno : static_cast<int>(result);
}
// A new ruleset's descriptor, close-on-exec. Older kernels take the longer structure when its new fields are 0.
inline int LandlockCreateRuleset(const LandlockRulesetAttr& attr) {
  long result = ::syscall(444, &attr, sizeof attr, 0u);
  return result == -1 ? -errno : static_cast<int>(result);
}
inline int LandlockAddPath(int ruleset, const LandlockPathBeneathAttr& attr) {
  return ::syscall(445 /* landlock_add_rule */, ruleset, 1 /* PATH_BENEATH */, &attr, 0u) == -1 ? -errno : 0;
}
inline int LandlockAddPort(int ruleset, const LandlockNetPortAttr& attr) {
  return ::syscall(445, ruleset, 2 /* NET_PORT */, &attr, 0u) == -1 ? -errno : 0;
}
// Needs no_new_privs or CAP_SYS_ADMIN. Holds for this thread and what it starts, for good.
inline int LandlockRestrictSelf(int ruleset, uint32_t flags) {
  return ::syscall(446 /* landlock_restrict_self */, ruleset, flags) == -1 ? -errno : 0;
}

}  // namespace mxc::sys
