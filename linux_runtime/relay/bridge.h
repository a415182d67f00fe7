// Carries bytes between the standard streams and a socket, both ways at once, until both ends are done.
#pragma once

#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::relay {

// early: bytes of the standard input that were read already. The end of the input is passed on as a half-close; the end of the
// socket ends it all. A side that doesn't take its bytes stops only the other's direction. Errors: kSystem.
Result<void> Bridge(std::string early, sys::UniqueFd socket);

}  // namespace mxc::relay
