// Errors of system calls: "mount /proc in the container: EPERM (Operation not permitted)".
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::sys {

// "EPERM", or "errno 512" for a number libc has no name for.
std::string ErrnoName(int error);

// An Error for a failed call: `what` says what was tried and on what ("open /etc/hosts").
// error: a positive errno value.
Error SystemError(std::string_view what, int error);

}  // namespace mxc::sys
