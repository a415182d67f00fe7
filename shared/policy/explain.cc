#include "shared/policy/explain.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "shared/policy/limits.h"

namespace mxc::policy {
namespace {

std::string Number(double value) {
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

std::string Milliseconds(uint32_t ms) {
  if (ms == 0) return "none";
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

std::string_view Yes(bool value) { return value ? "yes" : "no"; }
std::string_view Spelled(Default value) { return value == Default::kAllow ? "allow" : "deny"; }

template <class T>
void Add(Section& section, std::string name, std::string_view value, const Sourced<T>& source) {
  section.facts.push_back({std::move(name), Printable(value), DescribeOrigin(source.origin)});
}

Section Command(const EffectivePolicy& policy) {
  Section section{"command", {}};
  std::string argv;
  for (const std::string& argument : *policy.argv) {
    const bool plain = !argument.empty() && argument.find_first_of(" \t\n\"'\\$`;&|<>()*?") == std::string::npos;
    argv += (argv.empty() ? "" : " ") + (plain ? argument : "'" + argument + "'");
  }
  Add(section, "run", argv, policy.argv);
  Add(section, "directory", (*policy.cwd).value_or("the caller's if it is there inside, else /"), policy.cwd);
  Add(section, "time-out", Milliseconds(*policy.timeout_ms), policy.timeout_ms);
  Add(section, "host name", *policy.hostname, policy.hostname);
  return section;
}

std::string AccessName(const PathRule& rule) {
  if (rule.access == Access::kDeny) return "deny";
  if (rule.protect) return "protect";
  return rule.access == Access::kReadOnly ? "ro" : "rw";
}

Section Files(const EffectivePolicy& policy, bool every_path) {
  Section section{"files", {}};
  if (*policy.rootfs) Add(section, "root", **policy.rootfs, policy.rootfs);
  // Long lists of a profile: (access, list) → how many.
  std::map<std::pair<std::string, std::string>, size_t> lists;
  for (const PathRule& rule : policy.paths) {
    const std::string access = AccessName(rule);
    const bool grant = access == "ro" || access == "rw";
    const bool listed = rule.baseline || (!grant && rule.origin.layer <= Layer::kProfile);
    if (!listed || every_path) {
      section.facts.push_back(
          {access, Printable(rule.path) + (rule.if_present ? "  (if present)" : ""), DescribeOrigin(rule.origin)});
    } else {
      const bool builtin = rule.origin.layer == Layer::kBuiltin;
      ++lists[{access, builtin ? "built in" : "profile " + rule.origin.name}];
    }
  }
  for (const auto& [list, count] : lists) {
    section.facts.push_back(
        {list.first, std::to_string(count) + (count == 1 ? " path" : " paths") + ", listed with --all", list.second});
  }
  return section;
}

Section Limits(const EffectivePolicy& policy) {
  Section section{"limits", {}};
  const Resources& limits = *policy.resources;
  const auto origin = [&](std::string_view name) {
    const auto& named = policy.named_limits;
    const bool is_named = std::find(named.begin(), named.end(), name) != named.end();
    if (policy.resources.origin.layer <= Layer::kProfile) return DescribeOrigin(policy.resources.origin);
    return is_named ? DescribeOrigin(policy.resources.origin) : "profile " + policy.profile;
  };
  section.facts.push_back({"cpus", limits.cpus ? Number(*limits.cpus) : "no limit", origin(kCpus)});
  for (const Limit& limit : kLimits) {
    const auto& value = limits.*limit.value;
    std::string text = !value ? "no limit" : limit.bytes ? DescribeBytes(*value) : std::to_string(*value);
    section.facts.push_back({std::string(limit.name), std::move(text), origin(limit.name)});
  }
  return section;
}

std::string Ports(const std::vector<uint16_t>& ports) {
  std::string text;
  for (const uint16_t port : ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
  return text.empty() ? "none" : text;
}

Section Protection(const EffectivePolicy& policy) {
  Section section{"protection", {}};
  Add(section, "egress", Spelled(*policy.egress), policy.egress);
  for (const network::NameRule& rule : policy.name_rules) {
    section.facts.push_back({rule.allow ? "name" : "not the name", SpellDomainPattern(rule.pattern), rule.origin});
  }
  if (policy.name_sent_bytes) {
    section.facts.push_back({"sent to a name", DescribeBytes(*policy.name_sent_bytes) + " at most", "x-linux.domains"});
  }
  if (*policy.proxy) Add(section, "proxy", **policy.proxy, policy.proxy);
  for (const network::PortRule& rule : policy.port_rules) {
    const std::string protocol = rule.transport == network::Transport::kUdp ? "udp " : "tcp ";
    const std::string outside = "host " + network::Endpoint(rule.host, rule.host_port);
    const std::string inside = "sandbox port " + std::to_string(rule.port);
    section.facts.push_back(
        {"port", protocol + (rule.inward ? outside + " to " + inside : inside + " to " + outside), rule.origin});
  }
  Add(section, "ingress", Spelled(*policy.ingress), policy.ingress);
  Add(section, "host loopback", Spelled(*policy.host_loopback), policy.host_loopback);
  if (policy.tcp_bind) section.facts.push_back({"tcp bind", Ports(*policy.tcp_bind), "x-linux.landlock"});
  if (policy.tcp_connect) section.facts.push_back({"tcp connect", Ports(*policy.tcp_connect), "x-linux.landlock"});
  Add(section, "seccomp list", *policy.seccomp_profile, policy.seccomp_profile);
  Add(section, "landlock", *policy.landlock_required ? "required" : "where the kernel has it",
      policy.landlock_required);
  Add(section, "identity", *policy.identity == Identity::kHostRoot ? "host-root" : "caller", policy.identity);
  Add(section, "gpu", *policy.gpu == Gpu::kWsl ? "wsl" : "none", policy.gpu);
  if (*policy.own_session) Add(section, "isolation", "session", policy.own_session);
  Add(section, "nesting", Yes(*policy.nesting), policy.nesting);
  Add(section, "time namespace", Yes(*policy.time_namespace), policy.time_namespace);
  Add(section, "on exposed", *policy.on_exposed == OnExposed::kKill ? "kill" : "cover", policy.on_exposed);
  const OnMissing missing = *policy.on_missing;
  Add(section, "on missing",
      missing == OnMissing::kSeal     ? "seal"
      : missing == OnMissing::kRefuse ? "refuse"
                                      : "watch",
      policy.on_missing);
  section.facts.push_back({"CPU part of /sys", std::string(Yes(policy.sysfs)), "profile " + policy.profile});
  return section;
}

Section Environment(const EffectivePolicy& policy) {
  Section section{"environment", {}};
  for (const auto& entry : policy.env) {
    const size_t equals = entry->find('=');
    // A value that came from the caller may be a secret; its name says enough.
    const bool passed = std::any_of(policy.env_pass.begin(), policy.env_pass.end(),
                                    [&](const auto& name) { return entry->substr(0, equals) == *name; });
    Add(section, Printable(entry->substr(0, equals)), passed ? "(the caller's)" : entry->substr(equals + 1), entry);
  }
  return section;
}

// Columns of well-formed text, counting each character as one.
size_t Columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string DescribeOrigin(const Origin& origin) {
  const std::string line = origin.line != 0 ? ":" + std::to_string(origin.line) : "";
  switch (origin.layer) {
    case Layer::kBuiltin:
      return "built in";
    case Layer::kProfile:
      return "profile " + Printable(origin.name) + line;
    case Layer::kPolicy:
      return Printable(origin.name) + line + " " + Printable(origin.pointer);
    case Layer::kCommandLine:
      return "command line";
    case Layer::kFloor:
      return "managed floor " + Printable(origin.name) + line;
  }
  return "";
}

std::string Printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto at = [&](size_t offset) {
      return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0;
    };
    // U+0080 to U+009F are control characters too; U+200E, U+200F, U+202A to U+202E and U+2066 to U+2069 turn text around.
    const bool c1 = c == 0xC2 && at(1) >= 0x80 && at(1) < 0xA0;
    const bool bidi =
        c == 0xE2 && ((at(1) == 0x80 && (at(2) == 0x8E || at(2) == 0x8F || (at(2) >= 0xAA && at(2) <= 0xAE))) ||
                      (at(1) == 0x81 && at(2) >= 0xA6 && at(2) <= 0xA9));
    const size_t size = c < 0x80                ? 1
                        : c >= 0xC2 && c < 0xE0 ? 2
                        : c >= 0xE0 && c < 0xF0 ? 3
                        : c >= 0xF0 && c < 0xF5 ? 4
                                                : 0;
    bool whole = size != 0;
    for (size_t k = 1; k < size; ++k) whole = whole && (at(k) & 0xC0) == 0x80;
    if (c < 0x20 || c == 0x7F || c1 || bidi || !whole) {
      out += "\\x";
      out += kHex[c >> 4];
      out += kHex[c & 15];
      // The rest of a character that is cut open can't stand alone, so it is spelled out byte by byte as well.
      for (size_t k = 1; whole && k < size; ++k) {
        out += "\\x";
        out += kHex[at(k) >> 4];
        out += kHex[at(k) & 15];
      }
      if (whole) i += size - 1;
      continue;
    }
    out.append(text.substr(i, size));
    i += size - 1;
  }
  return out;
}

std::string DescribeBytes(uint64_t bytes) {
  if (bytes == UINT64_MAX) return "unlimited";
  constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

std::vector<Section> Explain(const EffectivePolicy& policy, bool every_path) {
  Section head{"policy", {}};
  head.facts.push_back({"profile", policy.profile, ""});
  head.facts.push_back({"digest", policy.digest, ""});
  return {std::move(head), Command(policy),    Files(policy, every_path),
          Limits(policy),  Protection(policy), Environment(policy)};
}

std::string AsText(const std::vector<Section>& sections, size_t width) {
  size_t name_columns = 0;
  size_t value_columns = 0;
  for (const Section& section : sections) {
    for (const Fact& fact : section.facts) {
      if (Columns(fact.name) <= 16) name_columns = std::max(name_columns, Columns(fact.name));
      if (Columns(fact.value) <= 28) value_columns = std::max(value_columns, Columns(fact.value));
    }
  }
  const auto pad = [](std::string& line, size_t to) { line.append(to > Columns(line) ? to - Columns(line) : 0, ' '); };
  std::string out;
  for (const Section& section : sections) {
    if (section.facts.empty()) continue;
    out += (out.empty() ? "" : "\n") + section.title + "\n";
    for (const Fact& fact : section.facts) {
      std::string line = "  " + fact.name;
      pad(line, 2 + name_columns);
      line += "  " + fact.value;
      if (!fact.origin.empty()) {
        pad(line, 2 + name_columns + 2 + value_columns);
        if (Columns(line) + 2 + Columns(fact.origin) > width) {
          out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
          line.assign(2 + name_columns + 4, ' ');
          line += fact.origin;
        } else {
          line += "  " + fact.origin;
        }
      }
      out += line + "\n";
    }
  }
  return out;
}

}  // namespace mxc::policy
