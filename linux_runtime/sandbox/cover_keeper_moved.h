// Moving what a container made under a denied or protected name out of everybody's way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

// What one run may put into the state folder in all: it may lie in memory (/run), which the container's limits don't count.
struct MoveBudget {
  int objects = 10000;
  int64_t bytes = 256 << 20;
};

struct LateCopy {
  sys::UniqueFd source, copy;
  std::string path;  // for whoever reports
};

// Moves `name` from the folder `parent` into the state folder as `as`. Where that is another file system, it is renamed
// to ".mxc-TIME-" + as beside itself first, at once and whatever it is, and then copied and removed: what can't be copied
// (too large, not readable, budget spent) stays under that name, where nothing looks for it, and the error says so.
// A copy has the contents only: files get mode 0600 and folders 0700, so that nothing of it runs or is read by others;
// symbolic links are not followed; FIFOs, sockets and devices are removed, not copied. At most 64 levels.
// A file that was copied is kept in `late` as long as there are few: its maker may have it open, and write on.
Result<void> MoveIntoState(int parent, const std::string& name, int state_folder, const std::string& as,
                           MoveBudget& budget, std::vector<LateCopy>& late);

// Copies once more what was written since. Call it when nobody can write any more.
Result<void> FinishCopy(const LateCopy& late, MoveBudget& budget);

}  // namespace mxc::sandbox
