// The descriptors that a caller hands over for the program, from 3 on.
#pragma once

#include "linux_runtime/runtime/options.h"
#include "shared/base/result.h"

namespace mxc::runtime {

// Looks at them before this process opens anything: a number that nobody passed would be one of its own later. Sockets of an
// activation (LISTEN_FDS, sd_listen_fds(3)) follow those of --preserve-fds, as far as they are open: options.listen_fds.
// Errors: kUsage naming a descriptor of --preserve-fds that isn't open.
Result<void> TakeInherited(Options& options);

}  // namespace mxc::runtime
