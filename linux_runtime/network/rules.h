// The tables that hold a sandbox's network rules: its own, in its network namespace, which decides everything that its
// program sends; and one on the host, which hides its address, and keeps the host and the other sandboxes out of reach
// even if the first one failed.
#pragma once

#include <span>
#include <string>

#include "linux_runtime/network/link.h"
#include "linux_runtime/network/nf_tables.h"
#include "shared/network/ruleset.h"

namespace mxc::network {

// Addresses inside of a sandbox that may connect to names: a range for benchmarks (RFC 2544), which no network routes. Each name
// that is asked for has one of them, and the resolver, too (kNameServer in shared/network/names.h).
policy::Cidr NamePool();
policy::Cidr NameServer();
// Where the gateway's listener is, on 127.0.0.1 and ::1. Below 1024, so that no program can take its place.
inline constexpr uint16_t kGatewayPort = 1010;

inline constexpr char kSandboxTable[] = "mxc";
inline constexpr char kEgressChain[] = "egress";
inline constexpr char kIngressChain[] = "ingress";
inline constexpr uint16_t kLogGroup = 0x6D78;  // refused packets, for DenialLog

// What a refused packet is labelled and logged with when no rule of the policy is behind it.
inline constexpr uint32_t kLabelIngress = 0xFFFFFFFF;
inline constexpr uint32_t kLabelOptions = 0xFFFFFFFE;  // IPv4 options, which can name other routers

inline constexpr uint32_t kLabelNamePool = 0xFFFFFFFD;  // something else than TCP to a name

// How a sandbox's packets get out.
struct WaysOut {
  bool link = false;             // over a link, as the rules let them
  bool asks_neighbours = false;  // whose other end has to be found by neighbour discovery
  bool tcp = false;              // there is no link: TCP that the rules allow is handed to the gateway
  bool names = false;            // TCP to the addresses that names have inside is handed to the gateway
};

// Labels of the other refusing rules are their indexes in `rules`, which may be empty. host: as HostAddresses says.
NftTransaction SandboxTable(const Ruleset& rules, std::span<const policy::Cidr> host, const WaysOut& ways);

// forwards_only_ours: the host forwarded nothing before, and goes on to forward nothing of others.
NftTransaction HostTable(const std::string& name, const LinkPlan& link, const Ruleset& rules,
                         std::span<const policy::Cidr> host, bool forwards_only_ours);

}  // namespace mxc::network
