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

inline constexpr char kSandboxTable[] = "mxc";
inline constexpr char kEgressChain[] = "egress";
inline constexpr char kIngressChain[] = "ingress";
inline constexpr uint16_t kLogGroup = 0x6D78;  // refused packets, for DenialLog

// What a refused packet is labelled and logged with when no rule of the policy is behind it.
inline constexpr uint32_t kLabelIngress = 0xFFFFFFFF;
inline constexpr uint32_t kLabelOptions = 0xFFFFFFFE;  // IPv4 options, which can name other routers

// Labels of the other refusing rules are their indexes in `rules`. host: as HostAddresses says.
NftTransaction SandboxTable(const Ruleset& rules, std::span<const policy::Cidr> host);

// forwards_only_ours: the host forwarded nothing before, and goes on to forward nothing of others.
NftTransaction HostTable(const std::string& name, const LinkPlan& link, const Ruleset& rules,
                         std::span<const policy::Cidr> host, bool forwards_only_ours);

}  // namespace mxc::network
