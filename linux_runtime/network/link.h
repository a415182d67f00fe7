// The cable between a sandbox and its host: a veth pair, with one address of each family inside and routes for just these
// outside. No address of the host's is on it, no neighbour is asked for (both ends know each other's from the start), and
// it goes when either end's namespace does.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/cidr.h"

namespace mxc::network {

inline constexpr char kLinkPrefix[] = "mxcv";  // of the host's end; the rest is the slot's number
inline constexpr uint32_t kSlots = 65024;      // 198.18.1.0 to 198.18.254.255

// Where all sandboxes' addresses lie: a part of the range for benchmarks (RFC 2544), which no network routes, and a local
// range of IPv6 (RFC 4193).
policy::Cidr SandboxesV4();
policy::Cidr SandboxesV6();

struct LinkPlan {
  uint32_t slot = 0;  // below kSlots; one sandbox's at a time
  bool v6 = false;

  std::string host_name() const { return kLinkPrefix + std::to_string(slot); }
  policy::Cidr address_v4() const;
  policy::Cidr address_v6() const;
};

// Makes the pair, one end in the caller's namespace, the other, eth0, in `netns`. What a killed run left under the same
// name is removed first. Needs CAP_NET_ADMIN in both. Error: kSystem; then nothing is left.
Result<void> MakeLink(const LinkPlan& plan, int netns);
void RemoveLink(const LinkPlan& plan);

// Every address of the caller's namespace, the gateways of its routes and the range of the sandboxes: what a rule about
// the host stands for. Error: kSystem.
Result<std::vector<policy::Cidr>> HostAddresses();

}  // namespace mxc::network
