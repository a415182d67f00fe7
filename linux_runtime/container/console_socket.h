// The unix socket over which a caller takes a container's PTY (runc's docs/terminals.md, --console-socket).
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::container {

// Errors: kSystem naming the socket; kInvalid for a path that is too long for one.
Result<sys::UniqueFd> ConnectUnixSocket(const std::string& path);

// One message with `data` and the descriptors.
Result<void> SendDescriptors(int socket, const std::string& data, const std::vector<int>& fds);

}  // namespace mxc::container
