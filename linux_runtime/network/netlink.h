// netlink(7) sockets, of whichever protocol.
#pragma once

#include <linux/netlink.h>

#include <functional>
#include <string_view>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::network {

// Somebody else's network namespace.
struct NetworkNamespace {
  int net = -1;   // an open /proc/PID/ns/net
  int user = -1;  // and the user namespace that owns it, where only its maker has rights there; -1: the caller has them
};

// Runs `body` there, in a process that shares this one's memory and descriptors: the sockets that it opens are that
// namespace's, and stay. The caller waits. Needs CAP_SYS_ADMIN over the namespaces. Error: kSystem; body did not run.
Result<void> RunIn(const NetworkNamespace& there, const std::function<void()>& body);

// protocol: NETLINK_*. In the caller's network namespace. Error: kSystem.
Result<sys::UniqueFd> OpenNetlink(int protocol);
Result<sys::UniqueFd> OpenNetlinkIn(const NetworkNamespace& there, int protocol);

// Calls `each` for every message until it says false: 0, or -errno of the socket; -EBADMSG: the kernel sent no message.
int ReadNetlink(int socket, const std::function<bool(const nlmsghdr&, std::string_view body)>& each);

// What an NLMSG_ERROR says: 0, an acknowledgement, or -errno.
int NetlinkError(std::string_view body);

}  // namespace mxc::network
