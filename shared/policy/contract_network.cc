// network and runtimeConfig in their newest form.
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "shared/policy/cidr.h"
#include "shared/policy/contract_sections.h"

namespace mxc::policy {
namespace {

constexpr Choice<Default> kDefaults[] = {{"allow", Default::kAllow}, {"deny", Default::kDeny}};
constexpr Choice<Protocol> kProtocols[] = {
    {"tcp", Protocol::kTcp}, {"udp", Protocol::kUdp}, {"icmp", Protocol::kIcmp}, {"any", Protocol::kAny}};

// ParseCidr's complaint, at the node.
Result<Cidr> ReadCidr(const Node& node) {
  if (node.value().kind != Kind::kString) return node.Expected("an address range");
  auto cidr = ParseCidr(node.value().text);
  if (!cidr.ok()) return std::move(cidr).error().WithPosition(node.Where());
  return cidr;
}

Result<void> ReadExcept(const Node& node, NetworkPeer& peer) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    MXC_TRY(ReadCidr(item));
    peer.except.push_back(item.value().text);
    return {};
  });
}

constexpr Field<NetworkPeer> kPeer[] = {
    {"cidr",
     [](const Node& node, NetworkPeer& peer) -> Result<void> {
       MXC_TRY(ReadCidr(node));
       peer.cidr = node.value().text;
       return {};
     },
     kRequired},
    {"except", ReadExcept},
};

Result<void> ReadPeer(const Node& node, NetworkPeer& peer) {
  MXC_TRY(ReadObject(node, kPeer, peer));
  const Cidr range = MXC_TRY(ParseCidr(peer.cidr));
  for (const Member& member : node.value().members) {
    if (member.name != "except") continue;
    const Node except(node, member);
    MXC_TRY(except.ForEach([&](const Node& item) -> Result<void> {
      if (range.Contains(MXC_TRY(ReadCidr(item)))) return {};
      return item.Invalid(Quote(item.value().text) + " is not part of " + Quote(peer.cidr))
          .WithHint("an exception takes away from its own cidr only; a rule under deny stands for itself");
    }));
  }
  return {};
}

constexpr Field<NetworkPort> kPort[] = {
    {"protocol", [](const Node& node, NetworkPort& port) { return Store(port.protocol, node.Enum(kProtocols)); }},
    {"port", [](const Node& node, NetworkPort& port) { return Store(port.port, node.U16(1)); }},
    {"endPort", [](const Node& node, NetworkPort& port) { return Store(port.end_port, node.U16(1)); }},
};

// The error of one member of an object, found when the whole was read.
Error AboutMember(const Node& object, std::string_view name, std::string message) {
  for (const Member& member : object.value().members) {
    if (member.name == name) return Node(object, member).Invalid(std::move(message));
  }
  return object.Invalid(std::move(message));
}

Result<void> ReadPort(const Node& node, NetworkPort& port) {
  MXC_TRY(ReadObject(node, kPort, port));
  if (port.end_port && !port.port) return AboutMember(node, "endPort", "endPort needs port, the start of the range");
  if (port.end_port && *port.end_port < *port.port) {
    return AboutMember(node, "endPort",
                       "endPort " + std::to_string(*port.end_port) + " is below port " + std::to_string(*port.port));
  }
  if (port.port && port.protocol == Protocol::kIcmp) return AboutMember(node, "port", "icmp has no ports");
  return {};
}

// Items of a list that, when it is there, holds at least one.
template <class T>
Result<void> ReadList(const Node& node, Result<void> (*read)(const Node&, T&), std::vector<T>& into) {
  MXC_TRY(node.ForEach([&](const Node& item) { return read(item, into.emplace_back()); }));
  if (into.empty()) return node.Invalid("the list is empty").WithHint("leave it out to mean every one");
  return {};
}

constexpr Field<NetworkRule> kRule[] = {
    {"to", [](const Node& node, NetworkRule& rule) { return ReadList(node, ReadPeer, rule.to); }},
    {"ports", [](const Node& node, NetworkRule& rule) { return ReadList(node, ReadPort, rule.ports); }},
};

Result<void> ReadRules(const Node& node, std::vector<NetworkRule>& rules) {
  return node.ForEach([&](const Node& item) { return ReadObject(item, kRule, rules.emplace_back()); });
}

constexpr Field<Network> kEgress[] = {
    {"default", [](const Node& node, Network& network) { return Store(network.egress, node.Enum(kDefaults)); }},
    {"allow", [](const Node& node, Network& network) { return ReadRules(node, network.egress_allow); }},
    {"deny", [](const Node& node, Network& network) { return ReadRules(node, network.egress_deny); }},
};

constexpr Field<Network> kIngress[] = {
    {"default", [](const Node& node, Network& network) { return Store(network.ingress, node.Enum(kDefaults)); }},
    {"hostLoopback",
     [](const Node& node, Network& network) { return Store(network.host_loopback, node.Enum(kDefaults)); }},
};

constexpr Field<Network> kNetwork[] = {
    {"egress", [](const Node& node, Network& network) { return ReadObject(node, kEgress, network); }},
    {"ingress", [](const Node& node, Network& network) { return ReadObject(node, kIngress, network); }},
};

// "http://localhost:8080": what an executor can reach without resolving a name or leaving the host.
Result<std::string> ReadProxy(const Node& node) {
  const std::string url = MXC_TRY(node.String());
  std::string_view rest = url;
  const auto take = [&](std::string_view start) {
    if (!rest.starts_with(start)) return false;
    rest.remove_prefix(start.size());
    return true;
  };
  const auto refuse = [&](const char* why) -> Error {
    return node.Invalid("the proxy " + Quote(url) + " " + why).WithHint("write it like \"http://127.0.0.1:8080\"");
  };
  if (!take("http://") && !take("https://")) return refuse("is no http:// or https:// URL");
  if (rest.find('@') != std::string_view::npos)
    return refuse("carries credentials, which the policy's readers would see");
  if (!take("localhost") && !take("127.0.0.1") && !take("[::1]")) {
    return refuse("is not on this host (localhost, 127.0.0.1 or [::1])");
  }
  if (!take(":")) return refuse("names no port");
  if (rest.ends_with('/')) rest.remove_suffix(1);
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (error != std::errc() || end != rest.data() + rest.size() || port == 0)
    return refuse("names no port from 1 to 65535");
  return url;
}

struct RuntimeConfig {
  std::optional<std::string> network_proxy;
};
constexpr Field<RuntimeConfig> kRuntimeConfig[] = {
    {"networkProxy",
     [](const Node& node, RuntimeConfig& config) { return Store(config.network_proxy, ReadProxy(node)); }},
};

}  // namespace

Result<void> ReadNetwork(const Node& node, Network& into) { return ReadObject(node, kNetwork, into); }

Result<void> ReadRuntimeConfig(const Node& node, std::optional<std::string>& network_proxy) {
  RuntimeConfig config;
  MXC_TRY(ReadObject(node, kRuntimeConfig, config));
  network_proxy = std::move(config.network_proxy);
  return {};
}

}  // namespace mxc::policy
