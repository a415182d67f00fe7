#include "shared/network/names.h"

#include "shared/network/line.h"

namespace mxc::network {

bool NameRule::MatchesPort(uint16_t port) const {
  if (!pattern.ports) return !allow || port == 80 || port == 443;
  return port >= pattern.ports->first && port <= pattern.ports->last;
}

NameRules CompileNames(const policy::Domains& domains, const std::function<std::string(const std::string&)>& name) {
  NameRules rules;
  const auto add = [&](const std::vector<policy::DomainPattern>& patterns, bool allow, const std::string& pointer) {
    for (size_t i = 0; i < patterns.size(); ++i) {
      rules.push_back({allow, patterns[i], name(pointer + std::to_string(i))});
    }
  };
  add(domains.deny, false, "/x-linux/domains/deny/");
  add(domains.allow, true, "/x-linux/domains/allow/");
  return rules;
}

std::optional<size_t> DecideName(const NameRules& rules, std::string_view host, uint16_t port) {
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].MatchesPort(port) && rules[i].pattern.Matches(host)) return i;
  }
  return std::nullopt;
}

std::optional<size_t> DecideLookup(const NameRules& rules, std::string_view host) {
  for (size_t i = 0; i < rules.size(); ++i) {
    const bool decides = rules[i].allow || !rules[i].pattern.ports;
    if (decides && rules[i].pattern.Matches(host)) return i;
  }
  return std::nullopt;
}

std::string Spell(const NameRule& rule) {
  return std::string(rule.allow ? "allow " : "deny ") + policy::SpellDomainPattern(rule.pattern) + " " + rule.origin;
}

Result<NameRule> ParseNameRule(std::string_view line) {
  const auto bad = [&](const char* what) {
    return Error(Code::kInvalid, "name rule \"" + std::string(line) + "\": " + what);
  };
  NameRule rule;
  std::string_view rest = line;
  const std::string_view verdict = TakeWord(rest), pattern = TakeWord(rest);
  if (verdict != "allow" && verdict != "deny") return bad("it starts with neither allow nor deny");
  rule.allow = verdict == "allow";
  rule.pattern = MXC_TRY(policy::ParseDomainPattern(pattern));
  if (policy::SpellDomainPattern(rule.pattern) != pattern) return bad("the name is not in its shortest form");
  rule.origin = std::string(rest);
  return rule;
}

}  // namespace mxc::network
