#include "shared/network/ports.h"

#include <optional>
#include <utility>

#include "shared/network/line.h"
#include "shared/policy/cidr.h"

namespace mxc::network {
namespace {

using policy::Cidr;

constexpr Cidr kLoopbackV4{false, {127}, 8};
constexpr Cidr kLocalhost[] = {{false, {127, 0, 0, 1}, 32},
                               {true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}};

bool IsLoopback(const Cidr& address) {
  return address.v6 ? kLocalhost[1].Contains(address) : kLoopbackV4.Contains(address);
}

Result<std::vector<Cidr>> AddressesOf(const policy::SharedPort& port) {
  if (!port.host_address) return std::vector<Cidr>(std::begin(kLocalhost), std::end(kLocalhost));
  return std::vector<Cidr>{Unmapped(MXC_TRY(policy::ParseCidr(*port.host_address)))};
}

// What the policy says elsewhere must hold for its ports.
Result<void> CheckAllowed(const policy::Network& network, const PortRule& rule) {
  const bool loopback = IsLoopback(rule.host);
  if (loopback && network.host_loopback != policy::Default::kAllow) {
    return Error(Code::kRefused, "network.ingress.hostLoopback denies the host's loopback addresses")
        .WithHint(R"(allow it: {"network": {"ingress": {"hostLoopback": "allow"}}}, or take the port out)");
  }
  if (!loopback && network.ingress != policy::Default::kAllow) {
    return Error(Code::kRefused, "network.ingress.default denies connections from other machines")
        .WithHint(R"(bind it to 127.0.0.1, or allow it: {"network": {"ingress": {"default": "allow"}}})");
  }
  return {};
}

// The readers let only localhost, 127.0.0.1 and [::1] pass, with a port.
PortRules ProxyRules(const std::string& url, const std::string& origin) {
  const size_t colon = url.rfind(':');
  const std::string_view digits = std::string_view(url).substr(colon + 1, url.find('/', colon) - colon - 1);
  const uint16_t port = PortOf(digits).value_or(0);
  PortRules rules;
  if (url.find("[::1]") == std::string::npos)
    rules.push_back({false, Transport::kTcp, kLocalhost[0], port, port, origin});
  if (url.find("127.0.0.1") == std::string::npos) {
    rules.push_back({false, Transport::kTcp, kLocalhost[1], port, port, origin});
  }
  return rules;
}

}  // namespace

bool operator==(const PortRule& a, const PortRule& b) { return Spell(a) == Spell(b); }

Result<PortRules> CompilePorts(const policy::Policy& policy,
                               const std::function<std::string(const std::string&)>& name) {
  PortRules rules;
  if (policy.network_proxy) rules = ProxyRules(*policy.network_proxy, name("/runtimeConfig/networkProxy"));
  if (!policy.x_linux) return rules;
  for (size_t i = 0; i < policy.x_linux->ports.size(); ++i) {
    const policy::SharedPort& port = policy.x_linux->ports[i];
    const std::string pointer = "/x-linux/ports/" + std::to_string(i);
    for (const Cidr& address : MXC_TRY(AddressesOf(port))) {
      PortRule rule{
          port.inward,  port.udp ? Transport::kUdp : Transport::kTcp, address, port.host_port, port.container_port,
          name(pointer)};
      if (Result<void> allowed = CheckAllowed(policy.network, rule); !allowed.ok()) {
        const auto place = policy.positions.find(pointer);
        return std::move(allowed).error().WithPosition(
            place != policy.positions.end() ? place->second : Position{policy.source, 0, 0, pointer});
      }
      rules.push_back(std::move(rule));
    }
  }
  return rules;
}

std::string Spell(const PortRule& rule) {
  return std::string(rule.inward ? "in " : "out ") + (rule.transport == Transport::kUdp ? "udp " : "tcp ") +
         Spell(rule.host) + " " + std::to_string(rule.host_port) + " " + std::to_string(rule.port) + " " + rule.origin;
}

Result<PortRule> ParsePortRule(std::string_view line) {
  const auto bad = [&](const char* what) {
    return Error(Code::kInvalid, "port rule \"" + std::string(line) + "\": " + what);
  };
  std::string_view rest = line;
  const std::string_view direction = TakeWord(rest), transport = TakeWord(rest), host = TakeWord(rest);
  const std::optional<uint16_t> host_port = PortOf(TakeWord(rest)), port = PortOf(TakeWord(rest));
  PortRule rule;
  if (direction != "in" && direction != "out") return bad("it starts with neither in nor out");
  rule.inward = direction == "in";
  if (transport != "tcp" && transport != "udp") return bad("the protocol is neither tcp nor udp");
  rule.transport = transport == "tcp" ? Transport::kTcp : Transport::kUdp;
  rule.host = MXC_TRY(policy::ParseCidr(host));
  if (Spell(rule.host) != host || rule.host.prefix != (rule.host.v6 ? 128 : 32)) {
    return bad("the host's part is no single address in its shortest form, with its length");
  }
  if (!host_port || !port || *host_port == 0 || *port == 0) return bad("a port is none from 1 to 65535");
  rule.host_port = *host_port;
  rule.port = *port;
  rule.origin = std::string(rest);
  return rule;
}

}  // namespace mxc::network
