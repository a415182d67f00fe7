// The sockets that a gateway listens on: those of the host's ports, and those inside of the sandbox.
#pragma once

#include <vector>

#include "linux_runtime/network/gateway/gateway.h"
#include "linux_runtime/network/netlink.h"
#include "linux_runtime/network/rules.h"
#include "shared/base/result.h"
#include "shared/network/ports.h"

namespace mxc::network {

// Binds the host's ports of what leads inward. An IPv6 address where there is no IPv6 is left out, if the same port is bound for
// IPv4. Errors: kRefused naming a port that is taken, or may not be had; kSystem.
Result<std::vector<PortListener>> ListenOnHost(const PortRules& ports);

// Adds to `plan` the sockets inside: for redirected connections and the resolver as `ways` says, and the ports that lead outward.
// v6: some rule allows an address of IPv6. Errors: kSystem.
Result<void> ListenInside(const NetworkNamespace& there, const WaysOut& ways, bool v6, const PortRules& ports,
                          GatewayPlan& plan);

// For connections into the sandbox: unconnected TCP sockets of its namespace, of IPv6 where it has that. Empty: none could be made.
std::vector<sys::UniqueFd> SocketsInside(const NetworkNamespace& there);

}  // namespace mxc::network
