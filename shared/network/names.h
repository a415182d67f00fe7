// The names that one sandbox may connect to, as plain data: an ordered list, of which the first match decides. Compiled from
// x-linux.domains, carried in an annotation, and enforced by the gateway (linux_runtime/network/gateway).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/domain.h"

namespace mxc::network {

// Where a sandbox with rules about names asks for them: an address on its own loopback device, of a range that RFC 2544 keeps
// out of every real network. What is answered are addresses of the same range.
inline constexpr char kNameServer[] = "198.19.0.1";

struct NameRule {
  bool allow = false;
  policy::DomainPattern pattern;
  std::string origin;  // who says so: "p.json#/x-linux/domains/allow/0"
  bool operator==(const NameRule&) const = default;

  bool MatchesPort(uint16_t port) const;
};

using NameRules = std::vector<NameRule>;

// What is denied first. name: what NameRule::origin says for a JSON pointer.
NameRules CompileNames(const policy::Domains& domains, const std::function<std::string(const std::string&)>& name);

// The index of the rule that decides about a connection; nothing: none does. `host` as IsHostName wants it.
std::optional<size_t> DecideName(const NameRules& rules, std::string_view host, uint16_t port);

// Of a look-up, whose port isn't known yet: the rule for any port that could be allowed, or the one that denies all of them.
std::optional<size_t> DecideLookup(const NameRules& rules, std::string_view host);

// One line a rule: "allow **.github.com:22 p.json#/x-linux/domains/allow/0".
std::string Spell(const NameRule& rule);
// What Spell wrote. Errors: kInvalid.
Result<NameRule> ParseNameRule(std::string_view line);

}  // namespace mxc::network
