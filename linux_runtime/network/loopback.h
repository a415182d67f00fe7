// Ranges of addresses on a sandbox's loopback device: what is sent to them stays inside, where the gateway's listeners are.
#pragma once

#include <span>

#include "linux_runtime/network/netlink.h"
#include "shared/base/result.h"
#include "shared/policy/cidr.h"

namespace mxc::network {

// Sets the device up, and routes the ranges to it. A kernel without IPv6 gets none of that family. Error: kSystem.
Result<void> RouteToLoopback(const NetworkNamespace& there, std::span<const policy::Cidr> ranges);

}  // namespace mxc::network
