#include "shared/network/ruleset.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "shared/network/compile.h"

namespace mxc::network {
namespace {

using policy::Cidr;
using policy::Default;
using policy::Network;
using policy::NetworkPeer;
using policy::NetworkPort;
using policy::NetworkRule;
using policy::Protocol;

Cidr Range(const std::string& text) {
  Result<Cidr> range = policy::ParseCidr(text);
  REQUIRE_MESSAGE(range.ok(), text);
  return *range;
}

std::string Lines(const Network& network) {
  Result<Ruleset> rules = Compile(network, [](const std::string& pointer) { return "p#" + pointer; });
  REQUIRE(rules.ok());
  std::string text;
  for (const Rule& rule : *rules) text += Spell(rule) + "\n";
  return text;
}

NetworkRule Allow(std::vector<NetworkPeer> to, std::vector<NetworkPort> ports = {}) {
  return {std::move(to), std::move(ports)};
}

TEST_CASE("Nothing allowed is no network, whatever is denied") {
  Network network;
  CHECK(Lines(network).empty());
  network.egress_deny.push_back(Allow({{"10.0.0.0/8", {}}}));
  CHECK(Lines(network).empty());
}

TEST_CASE("Compiled rules: the order and what becomes of except, ports and protocols") {
  Network network;
  network.egress_deny = {Allow({{"10.0.0.0/30", {"10.0.0.2"}}}, {{Protocol::kAny, uint16_t{25}, {}}})};
  network.egress_allow = {Allow({{"192.0.2.7", {}}, {"::ffff:198.51.100.0/120", {}}}, {{Protocol::kTcp, 80, 90}}),
                          Allow({}, {{Protocol::kIcmp, {}, {}}})};
  CHECK(Lines(network) ==
        "deny tcp 10.0.0.0/31 25 p#/network/egress/deny/0\n"
        "deny udp 10.0.0.0/31 25 p#/network/egress/deny/0\n"
        "deny tcp 10.0.0.3/32 25 p#/network/egress/deny/0\n"
        "deny udp 10.0.0.3/32 25 p#/network/egress/deny/0\n"
        "allow tcp 192.0.2.7/32 80-90 p#/network/egress/allow/0\n"
        "deny any host * p#/network/ingress/hostLoopback\n"
        "allow tcp 192.0.2.7/32 80-90 p#/network/egress/allow/0\n"
        "allow tcp 198.51.100.0/24 80-90 p#/network/egress/allow/0\n"
        "allow icmp 0.0.0.0/0 * p#/network/egress/allow/1\n"
        "allow icmp ::/0 * p#/network/egress/allow/1\n"
        "deny any 0.0.0.0/0 * p#/network/egress/default\n"
        "deny any ::/0 * p#/network/egress/default\n");
}

TEST_CASE("An address that exceptions leave over doesn't name the host") {
  Network network;
  network.egress_allow = {Allow({{"192.0.2.0/31", {"192.0.2.1"}}})};
  CHECK(Lines(network).starts_with("deny any host "));
}

TEST_CASE("A range that no reader lets through is an error, not a rule that matches nothing") {
  Network network;
  network.egress = Default::kAllow;
  network.egress_deny = {Allow({{"10.0.0.0/8", {"nonsense"}}})};
  CHECK_FALSE(Compile(network, [](const std::string& pointer) { return pointer; }).ok());
}

TEST_CASE("Rules read back as they were written") {
  for (const char* line :
       {"allow any 0.0.0.0/0 * a", "deny tcp 2001:db8::/32 443 p.json#/x y", "allow udp fe80::1/128 1-65535 z",
        "deny any host * h", "deny icmp ::/0 * i", "allow any 1:0:2::3/128 * c", "allow any ::1:0:0:0/128 * d"}) {
    CAPTURE(line);
    const Result<Rule> rule = ParseRule(line);
    REQUIRE_MESSAGE(rule.ok(), rule.error().Describe());
    CHECK(Spell(*rule) == line);
  }
  for (const char* line :
       {"", "allow", "permit any 0.0.0.0/0 * a", "allow sctp 0.0.0.0/0 * a", "allow any 10.0.0.1/8 * a",
        "allow any 0.0.0.0/0 80 a", "allow icmp ::/0 1-2 a", "allow tcp ::/0 9-8 a", "allow tcp ::/0 70000 a",
        "allow tcp ::/0 -1 a", "allow tcp ::ffff:1.2.3.4/128 * a", "allow tcp 10.0.0.1 * a", "allow tcp HOST * a"}) {
    CAPTURE(line);
    CHECK_FALSE(ParseRule(line).ok());
  }
}

// The policy's own words, one after the other, with nothing compiled: what the rules have to agree with.
bool Inside(const NetworkPeer& peer, const Cidr& address) {
  if (!Unmapped(Range(peer.cidr)).Contains(address)) return false;
  for (const std::string& hole : peer.except) {
    if (Unmapped(Range(hole)).Contains(address)) return false;
  }
  return true;
}
bool Matches(const NetworkRule& rule, const Destination& to) {
  bool peer = rule.to.empty();
  for (const NetworkPeer& one : rule.to) peer |= Inside(one, Unmapped(to.address));
  bool port = rule.ports.empty();
  for (const NetworkPort& one : rule.ports) {
    const bool has_ports = to.transport == Transport::kTcp || to.transport == Transport::kUdp;
    const bool same = one.protocol == Protocol::kAny ||
                      (one.protocol == Protocol::kTcp && to.transport == Transport::kTcp) ||
                      (one.protocol == Protocol::kUdp && to.transport == Transport::kUdp) ||
                      (one.protocol == Protocol::kIcmp && to.transport == Transport::kIcmp);
    const bool in_range =
        !one.port || (has_ports && to.port >= *one.port && to.port <= one.end_port.value_or(*one.port));
    port |= same && in_range;
  }
  return peer && port;
}
bool Allowed(const Network& network, const Destination& to, const std::vector<Cidr>& host) {
  for (const NetworkRule& rule : network.egress_deny) {
    if (Matches(rule, to)) return false;
  }
  for (const Cidr& one : host) {
    if (!one.Contains(Unmapped(to.address))) continue;
    // Only a rule that names the very address opens the host's.
    for (const NetworkRule& rule : network.egress_allow) {
      for (const NetworkPeer& peer : rule.to) {
        const Cidr range = Unmapped(Range(peer.cidr));
        if (range.prefix == (range.v6 ? 128 : 32) && Matches({{peer}, rule.ports}, to)) return true;
      }
    }
    return false;
  }
  for (const NetworkRule& rule : network.egress_allow) {
    if (Matches(rule, to)) return true;
  }
  return network.egress == Default::kAllow;
}

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  size_t Below(size_t n) { return engine_() % n; }

  // Few bits vary, so that ranges meet each other.
  std::string Peer(bool v6, size_t bits, size_t value) const {
    const std::string tail = std::to_string(value);
    return v6 ? "2001:db8::" + tail + "/" + std::to_string(124 + bits)
              : "10.0.0." + tail + "/" + std::to_string(28 + bits);
  }
  NetworkPeer Peer() {
    const bool v6 = Below(2) == 0;
    const size_t bits = Below(5);
    const size_t step = size_t{16} >> bits;
    // Decimal digits below 10 read the same in both families.
    const size_t base = Below(10) / step * step;
    NetworkPeer peer{Peer(v6, bits, base), {}};
    if (bits < 4 && Below(2) == 0) {
      const size_t half = step / 2, at = base + (base + half < 10 ? half * Below(2) : 0);
      peer.except.push_back(Peer(v6, bits + 1, at));
    }
    return peer;
  }
  NetworkRule Rule() {
    NetworkRule rule;
    for (size_t n = Below(3); n > 0; --n) rule.to.push_back(Peer());
    for (size_t n = Below(3); n > 0; --n) {
      NetworkPort port{static_cast<Protocol>(Below(4)), {}, {}};
      if (port.protocol != Protocol::kIcmp && Below(2) == 0) {
        port.port = static_cast<uint16_t>(1 + Below(4));
        if (Below(2) == 0) port.end_port = static_cast<uint16_t>(*port.port + Below(3));
      }
      rule.ports.push_back(port);
    }
    return rule;
  }

 private:
  std::mt19937 engine_;
};

TEST_CASE("Compiled rules decide as the policy's words do, for every address, port and protocol around them") {
  Dice dice(6);
  const std::vector<Cidr> host = {Range("10.0.0.5"), Range("2001:db8::5"), Range("10.0.0.8/31")};
  size_t allowed = 0, denied = 0;
  for (int round = 0; round < 300; ++round) {
    Network network;
    network.egress = dice.Below(2) == 0 ? Default::kAllow : Default::kDeny;
    for (size_t n = dice.Below(3); n > 0; --n) network.egress_allow.push_back(dice.Rule());
    for (size_t n = dice.Below(3); n > 0; --n) network.egress_deny.push_back(dice.Rule());
    const Result<Ruleset> rules = Compile(network, [](const std::string& pointer) { return pointer; });
    REQUIRE(rules.ok());
    for (int at = 0; at < 18; ++at) {
      for (const char* family : {"10.0.0.", "2001:db8::", "::ffff:10.0.0."}) {
        if (at > 9 && family[0] == '2') continue;
        const Cidr address = Range(family + std::to_string(at));
        for (Transport transport : {Transport::kAny, Transport::kTcp, Transport::kUdp, Transport::kIcmp}) {
          for (uint16_t port = 0; port < 8; ++port) {
            const bool has_ports = transport == Transport::kTcp || transport == Transport::kUdp;
            if (has_ports != (port != 0)) continue;
            const Destination to{transport, address, port};
            const bool wanted = Allowed(network, to, host);
            const bool found = !rules->empty() && (*rules)[Decide(*rules, to, host)].allow;
            (found ? allowed : denied) += 1;
            if (found == wanted || (rules->empty() && !wanted)) continue;
            std::string text;
            for (const Rule& rule : *rules) text += Spell(rule) + "\n";
            FAIL_CHECK(text << Spell(address) << " " << port << " wanted " << wanted);
          }
        }
      }
    }
  }
  CHECK(allowed > 10000);
  CHECK(denied > 10000);
}

TEST_CASE("What is left of a range without a part of it is the rest, once") {
  Dice dice(7);
  for (int round = 0; round < 200; ++round) {
    const std::string outer = "10.0.0.0/" + std::to_string(24 + dice.Below(9));
    const Cidr range = Range(outer);
    const Cidr hole = Range("10.0.0." + std::to_string(dice.Below(256)) + "/32");
    const std::vector<Cidr> pieces = Subtract(range, hole);
    for (int at = 0; at < 256; ++at) {
      const Cidr one = Range("10.0.0." + std::to_string(at));
      int found = 0;
      for (const Cidr& piece : pieces) found += piece.Contains(one);
      REQUIRE(found == (range.Contains(one) && !hole.Contains(one) ? 1 : 0));
    }
  }
}

}  // namespace
}  // namespace mxc::network
