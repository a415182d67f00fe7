#include "shared/policy/domain.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace mxc::policy {
namespace {

constexpr size_t kMaxName = 253, kMaxLabel = 63;

bool IsLabel(std::string_view label) {
  auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= kMaxLabel && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), good);
}

std::optional<uint16_t> Port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || text.front() == '0') return std::nullopt;
  return port;
}

Result<PortRange> ParsePorts(std::string_view text) {
  const size_t dash = text.find('-');
  const std::optional<uint16_t> first = Port(text.substr(0, dash));
  const std::optional<uint16_t> last = dash == std::string_view::npos ? first : Port(text.substr(dash + 1));
  if (!first || !last || *first > *last) {
    return Error(Code::kInvalid, "\"" + std::string(text) + "\" is no port and no range of ports")
        .WithHint("write \":443\", or \":8000-8100\"");
  }
  return PortRange{*first, *last};
}

// The last label of an IPv4 address is a number; no top-level domain is.
bool EndsInNumber(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  return std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

bool IsHostName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  while (true) {
    const size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

Result<DomainPattern> ParseDomainPattern(std::string_view text) {
  if (text.find("://") != std::string_view::npos) {
    return Error(Code::kInvalid, "\"" + std::string(text) + "\" is a URL, no domain name")
        .WithHint("write the host alone, with its port if it isn't 80 or 443: \"example.org\", \"example.org:8080\"");
  }
  DomainPattern pattern;
  std::string_view name = text.substr(0, text.find(':'));
  if (name.size() != text.size()) pattern.ports = MXC_TRY(ParsePorts(text.substr(name.size() + 1)));
  for (const auto& [prefix, match] : {std::pair{std::string_view("**."), DomainMatch::kAnyLabels},
                                      {std::string_view("*."), DomainMatch::kOneLabel}}) {
    if (!name.starts_with(prefix)) continue;
    pattern.match = match;
    name.remove_prefix(prefix.size());
    break;
  }
  pattern.name = LowerCase(name);
  if (!IsHostName(pattern.name)) {
    return Error(Code::kInvalid, "\"" + std::string(text) + "\" is no domain name")
        .WithHint(
            "write \"example.org\", \"*.example.org\" or \"**.example.org:443\"; names in other scripts in their "
            "ASCII form (xn--…)");
  }
  if (EndsInNumber(pattern.name)) {
    return Error(Code::kInvalid, "\"" + std::string(text) + "\" is an address, no domain name")
        .WithHint("addresses are allowed by network.egress.allow");
  }
  return pattern;
}

std::string SpellDomainPattern(const DomainPattern& pattern) {
  std::string text = pattern.match == DomainMatch::kExact ? "" : pattern.match == DomainMatch::kOneLabel ? "*." : "**.";
  text += pattern.name;
  if (!pattern.ports) return text;
  text += ":" + std::to_string(pattern.ports->first);
  if (pattern.ports->last != pattern.ports->first) text += "-" + std::to_string(pattern.ports->last);
  return text;
}

bool DomainPattern::Matches(std::string_view host) const {
  if (match == DomainMatch::kExact) return host == name;
  if (host.size() <= name.size() + 1 || !host.ends_with(name) || host[host.size() - name.size() - 1] != '.')
    return false;
  const std::string_view front = host.substr(0, host.size() - name.size() - 1);
  return match == DomainMatch::kAnyLabels || front.find('.') == std::string_view::npos;
}

}  // namespace mxc::policy
