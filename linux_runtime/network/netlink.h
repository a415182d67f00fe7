// netlink(7) sockets, of whichever protocol.
#pragma once

#include <linux/netlink.h>

#include <functional>
#include <string_view>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::network {

// protocol: NETLINK_*. In the caller's network namespace. Error: kSystem.
Result<sys::UniqueFd> OpenNetlink(int protocol);
// In another one, an open /proc/PID/ns/net. Needs CAP_SYS_ADMIN over it. For processes of one thread: the caller goes there and
// comes back at once.
Result<sys::UniqueFd> OpenNetlinkIn(int netns, int protocol);

// Calls `each` for every message until it says false: 0, or -errno of the socket; -EBADMSG: the kernel sent no message.
int ReadNetlink(int socket, const std::function<bool(const nlmsghdr&, std::string_view body)>& each);

// What an NLMSG_ERROR says: 0, an acknowledgement, or -errno.
int NetlinkError(std::string_view body);

}  // namespace mxc::network
