#include "shared/network/compile.h"

#include <utility>
#include <vector>

namespace mxc::network {
namespace {

using policy::Cidr;
using policy::NetworkPeer;
using policy::NetworkPort;
using policy::NetworkRule;
using policy::Protocol;

Result<std::vector<Cidr>> RangesOf(const NetworkPeer& peer) {
  std::vector<Cidr> ranges = {Unmapped(MXC_TRY(policy::ParseCidr(peer.cidr)))};
  const bool v6 = ranges.front().v6;
  for (const std::string& text : peer.except) {
    const Cidr hole = MXC_TRY(policy::ParseCidr(text));
    std::vector<Cidr> left;
    for (const Cidr& range : ranges) {
      // In a range of IPv6 that is wider than the mapped part, an exception stays IPv6.
      const std::vector<Cidr> pieces = Subtract(range, v6 ? hole : Unmapped(hole));
      left.insert(left.end(), pieces.begin(), pieces.end());
    }
    ranges = std::move(left);
  }
  return ranges;
}

constexpr Cidr kEveryV4{};
constexpr Cidr kEveryV6{true, {}, 0};

Result<std::vector<Cidr>> RangesOf(const NetworkRule& rule) {
  if (rule.to.empty()) return std::vector<Cidr>{kEveryV4, kEveryV6};
  std::vector<Cidr> ranges;
  for (const NetworkPeer& peer : rule.to) {
    const std::vector<Cidr> more = MXC_TRY(RangesOf(peer));
    ranges.insert(ranges.end(), more.begin(), more.end());
  }
  return ranges;
}

struct Ports {
  Transport transport = Transport::kAny;
  uint16_t first = 0, last = 65535;
};

std::vector<Ports> PortsOf(const NetworkRule& rule) {
  if (rule.ports.empty()) return {{}};
  std::vector<Ports> all;
  for (const NetworkPort& port : rule.ports) {
    const uint16_t first = port.port.value_or(0);
    const uint16_t last = port.port ? port.end_port.value_or(first) : 65535;
    switch (port.protocol) {
      case Protocol::kTcp:
        all.push_back({Transport::kTcp, first, last});
        break;
      case Protocol::kUdp:
        all.push_back({Transport::kUdp, first, last});
        break;
      case Protocol::kIcmp:
        all.push_back({Transport::kIcmp});
        break;
      case Protocol::kAny:
        if (!port.port) {
          all.push_back({});
        } else {
          all.push_back({Transport::kTcp, first, last});
          all.push_back({Transport::kUdp, first, last});
        }
        break;
    }
  }
  return all;
}

void Add(Ruleset& rules, bool allow, const std::vector<Cidr>& ranges, const NetworkRule& of,
         const std::string& origin) {
  for (const Cidr& range : ranges) {
    for (const Ports& ports : PortsOf(of)) {
      rules.push_back({allow, ports.transport, false, range, ports.first, ports.last, origin});
    }
  }
}

// The peers that are one address by their own words, not because exceptions left it over.
Result<std::vector<Cidr>> SingleAddresses(const NetworkRule& rule) {
  std::vector<Cidr> single;
  for (const NetworkPeer& peer : rule.to) {
    const std::vector<Cidr> ranges = MXC_TRY(RangesOf(peer));
    const Cidr whole = MXC_TRY(policy::ParseCidr(peer.cidr));
    if (ranges.size() == 1 && whole.prefix == (whole.v6 ? 128 : 32)) single.push_back(ranges.front());
  }
  return single;
}

}  // namespace

Result<Ruleset> Compile(const policy::Network& network, const std::function<std::string(const std::string&)>& name) {
  Ruleset rules;
  const bool allow = network.egress == policy::Default::kAllow;
  if (!allow && network.egress_allow.empty()) return rules;
  const auto each = [&](const std::vector<NetworkRule>& list, const std::string& pointer, bool allowed,
                        Result<std::vector<Cidr>> (*ranges)(const NetworkRule&)) -> Result<void> {
    for (size_t i = 0; i < list.size(); ++i) {
      Add(rules, allowed, MXC_TRY(ranges(list[i])), list[i], name(pointer + std::to_string(i)));
    }
    return {};
  };
  MXC_TRY(each(network.egress_deny, "/network/egress/deny/", false, RangesOf));
  MXC_TRY(each(network.egress_allow, "/network/egress/allow/", true, SingleAddresses));
  Rule host;
  host.host = true;
  host.origin = name("/network/ingress/hostLoopback");
  rules.push_back(std::move(host));
  MXC_TRY(each(network.egress_allow, "/network/egress/allow/", true, RangesOf));
  Add(rules, allow, {kEveryV4, kEveryV6}, {}, name("/network/egress/default"));
  return rules;
}

}  // namespace mxc::network
