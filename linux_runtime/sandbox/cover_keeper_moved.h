// Moves an object out of a work tree into the state folder, leaving nothing behind in the tree.
#pragma once

#include <string>

#include "shared/base/result.h"

namespace mxc::sandbox {

// Moves `name` in `parent` to `as` in `state_folder` (descriptors of host folders). By rename where both lie on one
// mount; else copied (contents only; files get mode 0600 and folders 0700, so that nothing of it runs or is read by
// others) and then removed, without following symbolic links. FIFOs, sockets and devices are removed, not copied.
// Errors: over 10,000 objects, 256 MiB or 64 levels, or a system call; what was there stays then, and so may a part
// of the copy.
Result<void> MoveIntoState(int parent, const std::string& name, int state_folder, const std::string& as);

}  // namespace mxc::sandbox
