// The egress rules of one sandbox as plain data: an ordered list, of which the first match decides. Compiled from the
// policy (compile.h), carried in an annotation, and loaded by every engine; Decide is the reference of what they do.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/cidr.h"

namespace mxc::network {

enum class Transport : uint8_t { kAny, kTcp, kUdp, kIcmp };  // kIcmp: ICMP for IPv4, ICMPv6 for IPv6

struct Rule {
  bool allow = false;
  Transport transport = Transport::kAny;
  // The rule is about the host itself, whatever its addresses are when the sandbox starts: every one that it has, its
  // gateways, and the other sandboxes. `to` is unused.
  bool host = false;
  policy::Cidr to;
  uint16_t first_port = 0, last_port = 65535;  // the whole range: the ports aren't looked at
  std::string origin;                          // who says so: "p.json#/network/egress/deny/0"

  bool every_port() const { return first_port == 0 && last_port == 65535; }
};
bool operator==(const Rule& a, const Rule& b);

// Empty: no network at all. Else the last two rules are the default, for IPv4 and for IPv6.
using Ruleset = std::vector<Rule>;

// An IPv4 address in IPv6's clothes (::ffff:a.b.c.d, RFC 4291) leaves as IPv4, so it is meant as such. Ranges wider than
// ::ffff:0:0/96 are IPv6 and nothing else.
policy::Cidr Unmapped(const policy::Cidr& range);

// `range` without `hole`: the largest ranges that remain, in order of address.
std::vector<policy::Cidr> Subtract(const policy::Cidr& range, const policy::Cidr& hole);

// Whether the last two rules decide about everything that is left, of IPv4 and of IPv6, alike.
bool HasDefaults(const Ruleset& rules);

// What no other rule is about may leave.
bool DefaultAllows(const Ruleset& rules);

struct Destination {
  Transport transport = Transport::kAny;  // kAny: a protocol without ports that isn't ICMP (SCTP too)
  policy::Cidr address;                   // of full length
  uint16_t port = 0;
};

// The index of the rule that decides. `host`: what rules about the host stand for. The rules may not be empty.
size_t Decide(const Ruleset& rules, const Destination& to, std::span<const policy::Cidr> host);

// "10.0.0.0/8", "2001:db8::1/128": as RFC 5952 writes addresses, always with the length.
std::string Spell(const policy::Cidr& range);

// "192.0.2.1:443", "[2001:db8::1]:443".
std::string Endpoint(const policy::Cidr& address, uint16_t port);

// One line a rule: "deny tcp 10.0.0.0/8 80-90 p.json#/network/egress/deny/0"; "*" is every port, "host" the host.
std::string Spell(const Rule& rule);
// What Spell wrote. Errors: kInvalid.
Result<Rule> ParseRule(std::string_view line);

}  // namespace mxc::network
