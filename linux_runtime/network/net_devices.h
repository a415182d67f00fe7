// linux.netDevices: devices of the host become the container's, with their permanent addresses of global scope, up.
// Routes, neighbours and other settings don't come along; config-linux.md leaves them to whoever manages the network.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"

namespace mxc::network {

struct NetDeviceMove {
  std::string host_name;
  std::string name;  // inside; "" as outside; "eth%d": the lowest number that is free there
};

// Moves all or none: what was moved before an error goes back, with its addresses. Needs CAP_NET_ADMIN in both namespaces
// and CAP_SYS_ADMIN over the container's. netns: an open /proc/PID/ns/net.
// Errors name /linux/netDevices/NAME: kNotFound without such a device, kInvalid when the name inside is taken, kSystem.
Result<void> MoveNetDevices(const std::vector<NetDeviceMove>& moves, int netns);

}  // namespace mxc::network
