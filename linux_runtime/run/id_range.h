// Host ids for a sandbox started as root: a range that no account and no other sandbox uses, so that its processes own
// nothing on the host and can't reach each other's (decision 10).
//
// The range lies where systemd's UIDS-GIDS document names no use (0x70000000 to 0x7fffffff): above containers of
// systemd-nspawn, below the ids that overflow signed integers. One byte-range lock of a file says who has which part;
// the kernel takes the lock away when the supervisor ends, however it ends.
#pragma once

#include <cstdint>
#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::run {

inline constexpr uint32_t kFirstHostId = 0x70000000;
inline constexpr uint32_t kIdsPerRange = 4096;
inline constexpr uint32_t kIdRanges = 61440;  // to 0x7effffff; above lie those of sessions (daemon/homes.h)

struct IdRange {
  uint32_t base = 0;
  sys::UniqueFd lock;  // keep it open as long as the sandbox lives
};

// folder: the state folder, writable by root only. Errors: kSystem; kRefused when every range is taken.
Result<IdRange> TakeIdRange(const std::string& folder);

}  // namespace mxc::run
