// Unix sockets of others that take a descriptor: a caller's for a container's PTY (runc's docs/terminals.md), an agent's for a
// seccomp listener. Source: unix(7), SCM_RIGHTS.
#pragma once

#include <string>
#include <string_view>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sys {

// A stream socket, by a path of any length. Errors: kSystem naming it.
Result<UniqueFd> ConnectUnixSocket(const std::string& path);

// All of `data`, which is not empty, the descriptor with its first bytes. `fd` stays the caller's.
Result<void> SendWithDescriptor(int socket, std::string_view data, int fd);

}  // namespace mxc::sys
