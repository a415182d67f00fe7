#include "shared/policy/resolve_network.h"

#include <string>
#include <utility>

#include "shared/network/compile.h"
#include "shared/network/names.h"
#include "shared/network/ports.h"
#include "shared/policy/resolve_paths.h"

namespace mxc::policy {
namespace {

// Of a group, or of the profile.
void AddNames(const Profile& from, const Caller& caller, network::NameRules& rules) {
  for (const auto& domain : from.domains)
    rules.push_back({true, *domain, domain.origin.name + "#" + domain.origin.pointer});
  for (const auto& tool : from.hosts_of) {
    if (!caller.configured_hosts) continue;
    for (const std::string& host : caller.configured_hosts(*tool)) {
      Result<DomainPattern> pattern = ParseDomainPattern(host);
      if (!pattern.ok()) continue;  // an address, which names can't lead to
      rules.push_back(
          {true, *std::move(pattern), *tool + "'s configuration, by " + tool.origin.name + "#" + tool.origin.pointer});
    }
  }
}

}  // namespace

Result<void> ResolveNetwork(const Policy& policy, const ProfileSet& profiles, const Profile& profile,
                            const Caller& caller, EffectivePolicy& effective) {
  const Origin builtin{Layer::kBuiltin, "mxc", "", 0};
  const auto is_named = [&](const char* pointer) { return policy.positions.contains(pointer); };
  const auto side = [&](Default value, const char* pointer) {
    return Sourced<Default>{value,
                            is_named(pointer) || value != Default::kDeny ? PolicyOrigin(policy, pointer) : builtin};
  };
  effective.egress = side(policy.network.egress, "/network/egress/default");
  effective.ingress = side(policy.network.ingress, "/network/ingress/default");
  effective.host_loopback = side(policy.network.host_loopback, "/network/ingress/hostLoopback");

  const auto name = [&](const std::string& pointer) { return policy.source + "#" + pointer; };
  effective.egress_rules = MXC_TRY(network::Compile(policy.network, name));
  effective.port_rules = MXC_TRY(network::CompilePorts(policy, name));
  if (policy.network_proxy) {
    effective.proxy = {policy.network_proxy, PolicyOrigin(policy, "/runtimeConfig/networkProxy")};
    return {};
  }
  if (policy.x_linux) {
    effective.name_rules = network::CompileNames(policy.x_linux->domains, name);
    effective.name_sent_bytes = policy.x_linux->domain_sent_bytes;
    for (size_t i = 0; i < policy.x_linux->domain_groups.size(); ++i) {
      Result<const Profile*> group = profiles.FindDomains(policy.x_linux->domain_groups[i]);
      if (!group.ok()) {
        const Origin at = PolicyOrigin(policy, "/x-linux/domains/groups/" + std::to_string(i));
        return std::move(group).error().WithPosition({at.name, at.line, 0, at.pointer});
      }
      AddNames(**group, caller, effective.name_rules);
    }
  }
  const bool closed = is_named("/network/egress/default") && policy.network.egress == Default::kDeny;
  if (!closed) AddNames(profile, caller, effective.name_rules);
  return {};
}

}  // namespace mxc::policy
