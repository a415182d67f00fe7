// Unix sockets of others that take a descriptor: a caller's for a container's PTY (runc's docs/terminals.md), an agent's for a
// seccomp listener. Source: unix(7), SCM_RIGHTS.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sys {

// A stream socket, by a path of any length. Errors: kSystem naming it.
Result<UniqueFd> ConnectUnixSocket(const std::string& path);

// All of `data`, which is not empty, the descriptor with its first bytes. `fd` stays the caller's.
Result<void> SendWithDescriptor(int socket, std::string_view data, int fd);

// One message over a socket that keeps their bounds (SOCK_SEQPACKET), with at most kMostDescriptors, without waiting. The bytes
// sent or received, or -errno; 0 received: the other side has closed.
inline constexpr size_t kMostDescriptors = 16;
long SendMessage(int socket, std::string_view data, std::span<const UniqueFd> descriptors = {});
long ReceiveMessage(int socket, std::span<char> data, std::vector<UniqueFd>& descriptors);

}  // namespace mxc::sys
