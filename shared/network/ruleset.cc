#include "shared/network/ruleset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "shared/network/line.h"

namespace mxc::network {
namespace {

using policy::Cidr;

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::string_view kTransports[] = {"any", "tcp", "udp", "icmp"};

bool IsHostRule(const Rule& rule, const Cidr& address, std::span<const Cidr> host) {
  return rule.host && std::any_of(host.begin(), host.end(), [&](const Cidr& one) { return one.Contains(address); });
}

std::string SpellV6(const std::array<uint8_t, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  size_t best = 8, length = 1;  // a single zero group is not shortened
  for (size_t i = 0; i < 8; ++i) {
    size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > length) best = i, length = end - i;
  }
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char hex[8];
    const auto [end, error] = std::to_chars(hex, hex + sizeof hex, groups[i], 16);
    text.append(hex, end);
  }
  return text;
}

bool ParsePorts(std::string_view text, Rule& rule) {
  if (text == "*") return true;
  const size_t dash = text.find('-');
  const auto first = PortOf(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : PortOf(text.substr(dash + 1));
  if (!first || !last || *first > *last) return false;
  rule.first_port = *first;
  rule.last_port = *last;
  return rule.transport == Transport::kTcp || rule.transport == Transport::kUdp;
}

}  // namespace

bool operator==(const Rule& a, const Rule& b) { return Spell(a) == Spell(b); }

Cidr Unmapped(const Cidr& range) {
  if (!range.v6 || range.prefix < 96 || !std::equal(kMapped.begin(), kMapped.end(), range.address.begin()))
    return range;
  Cidr v4;
  std::copy(range.address.begin() + 12, range.address.end(), v4.address.begin());
  v4.prefix = static_cast<uint8_t>(range.prefix - 96);
  return v4;
}

std::vector<Cidr> Subtract(const Cidr& range, const Cidr& hole) {
  if (hole.Contains(range)) return {};
  if (!range.Contains(hole)) return {range};
  // Halves of the range on the way down to the hole: the one without it stays.
  std::vector<Cidr> below, above;
  Cidr rest = range;
  while (rest.prefix < hole.prefix) {
    const size_t byte = rest.prefix / 8;
    const auto bit = static_cast<uint8_t>(0x80 >> rest.prefix % 8);
    Cidr lower = rest, upper = rest;
    ++lower.prefix;
    ++upper.prefix;
    upper.address[byte] = static_cast<uint8_t>(upper.address[byte] | bit);
    if ((hole.address[byte] & bit) != 0) {
      below.push_back(lower);
      rest = upper;
    } else {
      above.push_back(upper);
      rest = lower;
    }
  }
  below.insert(below.end(), above.rbegin(), above.rend());
  return below;
}

bool HasDefaults(const Ruleset& rules) {
  if (rules.size() < 2) return false;
  const Rule &v4 = rules[rules.size() - 2], &v6 = rules.back();
  const auto whole = [](const Rule& rule, bool six) {
    return !rule.host && rule.transport == Transport::kAny && rule.to.prefix == 0 && rule.to.v6 == six;
  };
  return whole(v4, false) && whole(v6, true) && v4.allow == v6.allow;
}

bool DefaultAllows(const Ruleset& rules) { return !rules.empty() && rules.back().allow; }

size_t Decide(const Ruleset& rules, const Destination& to, std::span<const Cidr> host) {
  const Cidr address = Unmapped(to.address);
  for (size_t i = 0; i < rules.size(); ++i) {
    const Rule& rule = rules[i];
    if (rule.transport != Transport::kAny && rule.transport != to.transport) continue;
    if (!rule.every_port() && (to.port < rule.first_port || to.port > rule.last_port)) continue;
    if (rule.host ? IsHostRule(rule, address, host) : rule.to.Contains(address)) return i;
  }
  return rules.size() - 1;
}

std::string Spell(const Cidr& range) {
  std::string text;
  if (range.v6) {
    text = SpellV6(range.address);
  } else {
    for (size_t i = 0; i < 4; ++i) text += (i == 0 ? "" : ".") + std::to_string(range.address[i]);
  }
  return text + "/" + std::to_string(range.prefix);
}

std::string Endpoint(const Cidr& address, uint16_t port) {
  const std::string whole = Spell(address), text = whole.substr(0, whole.find('/'));
  return (address.v6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

std::string Spell(const Rule& rule) {
  std::string text = rule.allow ? "allow " : "deny ";
  text += kTransports[static_cast<size_t>(rule.transport)];
  text += " " + (rule.host ? std::string("host") : Spell(rule.to)) + " ";
  if (rule.every_port()) {
    text += "*";
  } else {
    text += std::to_string(rule.first_port);
    if (rule.last_port != rule.first_port) text += "-" + std::to_string(rule.last_port);
  }
  return text + " " + rule.origin;
}

Result<Rule> ParseRule(std::string_view line) {
  const auto bad = [&](const char* what) {
    return Error(Code::kInvalid, "network rule \"" + std::string(line) + "\": " + what);
  };
  Rule rule;
  std::string_view rest = line;
  const std::string_view verdict = TakeWord(rest), transport = TakeWord(rest), to = TakeWord(rest);
  const std::string_view ports = TakeWord(rest);
  if (verdict != "allow" && verdict != "deny") return bad("it starts with neither allow nor deny");
  rule.allow = verdict == "allow";
  const auto* known = std::find(std::begin(kTransports), std::end(kTransports), transport);
  if (known == std::end(kTransports)) return bad("the protocol is none of any, tcp, udp and icmp");
  rule.transport = static_cast<Transport>(known - std::begin(kTransports));
  rule.host = to == "host";
  if (!rule.host) {
    rule.to = MXC_TRY(policy::ParseCidr(to));
    if (Spell(rule.to) != to) return bad("the range is not in its shortest form, with its length");
    if (Spell(Unmapped(rule.to)) != to) return bad("an IPv4 range is written as IPv6");
  }
  if (!ParsePorts(ports, rule)) return bad("the ports are neither * nor a range of tcp or udp ports");
  rule.origin = std::string(rest);
  return rule;
}

}  // namespace mxc::network
