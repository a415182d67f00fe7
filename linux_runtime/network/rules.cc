#include "linux_runtime/network/rules.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace mxc::network {
namespace {

using policy::Cidr;

constexpr char kRefuse[] = "refuse";
// NF_IP_PRI_MANGLE, NF_IP_PRI_NAT_DST, NF_IP_PRI_FILTER, NF_IP_PRI_NAT_SRC
constexpr int kBeforeNat = -150, kDestinationNat = -100, kFilter = 0, kSourceNat = 100;

constexpr Cidr kLoopback[] = {{false, {127}, 8}, {true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}};

constexpr Cidr kLinkLocal{true, {0xFE, 0x80}, 10};
constexpr Cidr kReportsV4{false, {224, 0, 0, 22}, 32};
constexpr Cidr kReportsV6{true, {0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16}, 128};

uint8_t NumberOf(Transport transport, bool v6) {
  switch (transport) {
    case Transport::kTcp:
      return IPPROTO_TCP;
    case Transport::kUdp:
      return IPPROTO_UDP;
    default:
      return static_cast<uint8_t>(v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
  }
}

NftRule Matches(const Rule& rule, const Cidr& to) {
  NftRule matches;
  matches.To(to);
  if (rule.transport != Transport::kAny) matches.Protocol(NumberOf(rule.transport, to.v6));
  if (!rule.every_port()) matches.ToPorts(rule.first_port, rule.last_port);
  return matches;
}

NftRule& Refused(NftRule& rule, uint32_t label) {
  return rule.Count().Log(kLogGroup, std::to_string(label)).Jump(kRefuse).Label(label);
}

// Names' addresses are on the loopback device, so what goes to them would pass as its own. A socket that is bound to another
// device (SO_BINDTODEVICE) would send it there.
void AddNamePool(NftTransaction& table) {
  const auto inside = [](const Cidr& to) { return NftRule().OutOnLoopback().To(to); };
  table.Append(kEgressChain, inside(NameServer()).Protocol(IPPROTO_UDP).ToPorts(53, 53).Accept());
  table.Append(kEgressChain, inside(NamePool()).Protocol(IPPROTO_TCP).Accept());
  table.Append(kEgressChain, inside(NamePool()).OfKnownConnection().Accept());
  NftRule other;
  other.To(NamePool());
  table.Append(kEgressChain, Refused(other, kLabelNamePool));
}

// Neighbour solicitations and their answers (RFC 4861); there is nobody else on the link.
void AddNeighbours(NftTransaction& table) {
  constexpr uint8_t kSolicitation = 135, kAdvertisement = 136;
  const auto message = [](uint8_t type) { return NftRule().Family(true).Protocol(IPPROTO_ICMPV6).Icmpv6Type(type); };
  table.Append(kEgressChain, message(kSolicitation).Accept());
  table.Append(kEgressChain, NftRule().To(kLinkLocal).Drop());
  table.Append(kIngressChain, message(kAdvertisement).Accept());
}

// What has passed the rules by here goes to the gateway's listener instead.
void AddRedirects(NftTransaction& table, const WaysOut& ways) {
  constexpr char kChain[] = "gateway";
  table.MakeBaseChain(kChain, "nat", NftHook::kOutput, kDestinationNat, true);
  table.Append(kChain, NftRule().To(NameServer()).Accept());
  if (ways.tcp) {
    for (const Cidr& own : kLoopback) table.Append(kChain, NftRule().To(own).Accept());
    table.Append(kChain, NftRule().Protocol(IPPROTO_TCP).RedirectTo(kGatewayPort));
  } else {
    table.Append(kChain, NftRule().To(NamePool()).Protocol(IPPROTO_TCP).RedirectTo(kGatewayPort));
  }
}

}  // namespace

Cidr NamePool() { return {false, {198, 19, 0, 0}, 16}; }
Cidr NameServer() { return {false, {198, 19, 0, 1}, 32}; }

NftTransaction SandboxTable(const Ruleset& rules, std::span<const Cidr> host, const WaysOut& ways) {
  NftTransaction table(kSandboxTable);
  table.MakeTable().MakeChain(kRefuse);
  // connect(2) fails with ECONNREFUSED at once, where a dropped SYN would let it wait for minutes; what else is sent
  // fails with EPERM by being dropped here, on the way out.
  table.Append(kRefuse, NftRule().Protocol(IPPROTO_TCP).ResetTcp()).Append(kRefuse, NftRule().Drop());

  // Before the gateway's redirections, after which every destination is the same.
  table.MakeBaseChain(kEgressChain, "filter", NftHook::kOutput, kBeforeNat, false);
  table.MakeBaseChain(kIngressChain, "filter", NftHook::kInput, kFilter, false);
  if (ways.asks_neighbours) AddNeighbours(table);
  if (ways.names) AddNamePool(table);
  if (ways.tcp) {
    // Everything is on the loopback device.
    for (const Cidr& own : kLoopback) table.Append(kEgressChain, NftRule().To(own).Accept());
  } else {
    table.Append(kEgressChain, NftRule().OutOnLoopback().Accept());
  }
  // The kernel's own reports of the groups that it listens to (IGMP, MLD): nobody asked for them, so nobody is told.
  for (const auto& [group, protocol] : {std::pair(kReportsV4, uint8_t{IPPROTO_IGMP}), {kReportsV6, IPPROTO_ICMPV6}}) {
    table.Append(kEgressChain, NftRule().To(group).Protocol(protocol).Drop());
  }
  NftRule options;
  options.HasIpv4Options();
  table.Append(kEgressChain, Refused(options, kLabelOptions));
  table.Append(kEgressChain, NftRule().OfKnownConnection().Accept());
  for (uint32_t index = 0; index < rules.size(); ++index) {
    const Rule& rule = rules[index];
    const std::span<const Cidr> to = rule.host ? host : std::span(&rule.to, 1);
    for (const Cidr& range : to) {
      NftRule line = Matches(rule, range);
      table.Append(kEgressChain, rule.allow ? line.Accept() : Refused(line, index));
    }
  }

  table.Append(kIngressChain, NftRule().InOnLoopback().Accept());
  table.Append(kIngressChain, NftRule().OfKnownConnection().Accept());
  table.Append(kIngressChain,
               NftRule().Count().Log(kLogGroup, std::to_string(kLabelIngress)).Drop().Label(kLabelIngress));
  table.MakeBaseChain("forward", "filter", NftHook::kForward, kFilter, false);
  if (ways.tcp || ways.names) AddRedirects(table, ways);
  return table;
}

NftTransaction HostTable(const std::string& name, const LinkPlan& link, const Ruleset& rules,
                         std::span<const Cidr> host, bool forwards_only_ours) {
  const std::string device = link.host_name(), others = std::string(kLinkPrefix) + "*";
  const auto foreign = [&](const Cidr& source) { return NftRule().InOn(device).NotFrom(source).Drop(); };
  NftTransaction table(name);
  table.MakeTable();

  table.MakeBaseChain("forward", "filter", NftHook::kForward, kFilter, true);
  table.Append("forward", foreign(link.address_v4())).Append("forward", foreign(link.address_v6()));
  table.Append("forward", NftRule().InOn(device).OutOn(others).Drop());
  table.Append("forward", NftRule().OutOn(device).OfKnownConnection().Accept());
  table.Append("forward", NftRule().OutOn(device).Drop());
  if (forwards_only_ours) table.Append("forward", NftRule().NotInOn(others).NotOutOn(others).Drop());

  // Only what the policy names an address of the host for gets at it.
  table.MakeBaseChain("input", "filter", NftHook::kInput, kFilter, true);
  table.Append("input", foreign(link.address_v4())).Append("input", foreign(link.address_v6()));
  table.Append("input", NftRule().InOn(device).OfKnownConnection().Accept());
  for (const Rule& rule : rules) {
    if (rule.host) break;  // what comes behind it isn't about the host
    const bool ours = std::any_of(host.begin(), host.end(), [&](const Cidr& one) { return one.Contains(rule.to); });
    if (!rule.allow || !ours) continue;
    NftRule line;
    line.InOn(device).To(rule.to);
    if (rule.transport != Transport::kAny) line.Protocol(NumberOf(rule.transport, rule.to.v6));
    if (!rule.every_port()) line.ToPorts(rule.first_port, rule.last_port);
    table.Append("input", line.Accept());
  }
  table.Append("input", NftRule().InOn(device).Drop());

  table.MakeBaseChain("postrouting", "nat", NftHook::kPostrouting, kSourceNat, true);
  for (const Cidr& source : {link.address_v4(), link.address_v6()}) {
    table.Append("postrouting", NftRule().From(source).NotOutOn(others).Masquerade());
  }
  return table;
}

}  // namespace mxc::network
