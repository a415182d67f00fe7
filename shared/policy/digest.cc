#include "shared/policy/digest.h"

#include <sodium.h>

#include <charconv>
#include <cstdint>
#include <string_view>

#include "shared/base/plain_text.h"
#include "shared/policy/limits.h"

namespace mxc::policy {
namespace {

// Writes the canonical form. A JSON library would build a tree of some hundred nodes first; the digest is part of every
// start, and there is nothing to it but quoting.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void Key(std::string_view name) {
    Separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
    fresh_ = true;
  }
  void Open(char bracket) {
    Separate();
    out_ += bracket;
    fresh_ = true;
  }
  void Close(char bracket) {
    out_ += bracket;
    fresh_ = false;
  }
  void Text(std::string_view text) {
    Separate();
    out_ += '"';
    for (size_t plain; (plain = PlainPrefix(text)) < text.size(); text.remove_prefix(plain + 1)) {
      out_.append(text.substr(0, plain));
      Escape(static_cast<unsigned char>(text[plain]));
    }
    out_.append(text);
    out_ += '"';
  }
  void Bool(bool value) {
    Separate();
    out_ += value ? "true" : "false";
  }
  void Null() {
    Separate();
    out_ += "null";
  }
  template <class T>
  void Number(T value) {
    Separate();
    char digits[32];
    // to_chars writes the shortest text that reads back as the same double, wherever it runs.
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out_.append(digits, end);
  }

 private:
  void Separate() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  void Escape(unsigned char c) {
    constexpr char kHex[] = "0123456789abcdef";
    if (c >= 0x20) {
      out_ += '\\';
      out_ += static_cast<char>(c);
    } else {
      out_ += "\\u00";
      out_ += kHex[c >> 4];
      out_ += kHex[c & 15];
    }
  }

  std::string& out_;
  bool fresh_ = true;
};

void WriteOptionalText(Writer& json, const std::optional<std::string>& text) {
  if (text) {
    json.Text(*text);
  } else {
    json.Null();
  }
}

void WritePorts(Writer& json, std::string_view key, const std::optional<std::vector<uint16_t>>& ports) {
  json.Key(key);
  if (!ports) return json.Null();
  json.Open('[');
  for (const uint16_t port : *ports) json.Number(port);
  json.Close(']');
}

// Lists of paths by what holds for them: deny, ro or rw, with + if-present, protect and baseline.
void WritePaths(Writer& json, const std::vector<PathRule>& paths) {
  constexpr std::string_view kAccess[] = {"deny", "ro", "rw"};
  const auto code = [](const PathRule& rule) {
    return static_cast<unsigned>(rule.access) << 3 | rule.if_present << 2 | rule.protect << 1 |
           static_cast<unsigned>(rule.baseline);
  };
  uint32_t present = 0;
  for (const PathRule& rule : paths) present |= 1u << code(rule);
  json.Key("paths");
  json.Open('{');
  for (unsigned kind = 0; kind < 24; ++kind) {
    if ((present >> kind & 1) == 0) continue;
    std::string name(kAccess[kind >> 3]);
    if ((kind & 4) != 0) name += "+if-present";
    if ((kind & 2) != 0) name += "+protect";
    if ((kind & 1) != 0) name += "+baseline";
    json.Key(name);
    json.Open('[');
    for (const PathRule& rule : paths) {
      if (code(rule) == kind) json.Text(rule.path);
    }
    json.Close(']');
  }
  json.Close('}');
}

void WriteResources(Writer& json, const Resources& resources) {
  json.Key("resources");
  json.Open('{');
  for (const Limit& limit : kLimits) {
    if (!(resources.*limit.value)) continue;
    json.Key(limit.name);
    json.Number(*(resources.*limit.value));
  }
  if (resources.cpus) {
    json.Key(kCpus);
    json.Number(*resources.cpus);
  }
  json.Close('}');
}

void WriteStrings(Writer& json, std::string_view key, const std::vector<std::string>& texts) {
  json.Key(key);
  json.Open('[');
  for (const std::string& text : texts) json.Text(text);
  json.Close(']');
}

// Only where there are any, so that a policy without a network keeps its digest. Where a rule stands is no part of it.
template <class Rule>
void WriteRules(Writer& json, std::string_view key, const std::vector<Rule>& rules) {
  if (rules.empty()) return;
  json.Key(key);
  json.Open('[');
  for (Rule rule : rules) {
    rule.origin.clear();
    json.Text(network::Spell(rule));
  }
  json.Close(']');
}

void WriteFlag(Writer& json, std::string_view key, bool value) {
  json.Key(key);
  json.Bool(value);
}

void WriteName(Writer& json, std::string_view key, std::string_view value) {
  json.Key(key);
  json.Text(value);
}

}  // namespace

std::string CanonicalJson(const EffectivePolicy& policy) {
  std::string out;
  out.reserve(8192);
  Writer json(out);
  json.Open('{');
  WriteStrings(json, "argv", *policy.argv);
  json.Key("cwd");
  WriteOptionalText(json, *policy.cwd);
  json.Key("env");
  json.Open('[');
  for (const auto& entry : policy.env) json.Text(*entry);
  json.Close(']');
  json.Key("timeout");
  json.Number(*policy.timeout_ms);
  WritePaths(json, policy.paths);
  json.Key("rootfs");
  WriteOptionalText(json, *policy.rootfs);
  WriteFlag(json, "egress", *policy.egress == Default::kAllow);
  WriteRules(json, "egressRules", policy.egress_rules);
  WriteRules(json, "nameRules", policy.name_rules);
  if (policy.name_sent_bytes) {
    json.Key("nameSentBytes");
    json.Number(*policy.name_sent_bytes);
  }
  WriteRules(json, "portRules", policy.port_rules);
  WriteFlag(json, "ingress", *policy.ingress == Default::kAllow);
  WriteFlag(json, "hostLoopback", *policy.host_loopback == Default::kAllow);
  WriteResources(json, *policy.resources);
  WriteStrings(json, "named", policy.named_limits);
  WriteName(json, "seccomp", *policy.seccomp_profile);
  WriteFlag(json, "landlockRequired", *policy.landlock_required);
  WritePorts(json, "tcpBind", policy.tcp_bind);
  WritePorts(json, "tcpConnect", policy.tcp_connect);
  WriteName(json, "on_exposed", *policy.on_exposed == OnExposed::kKill ? "kill" : "cover");
  WriteName(json, "on_missing",
            *policy.on_missing == OnMissing::kSeal     ? "seal"
            : *policy.on_missing == OnMissing::kRefuse ? "refuse"
                                                       : "watch");
  WriteName(json, "identity", *policy.identity == Identity::kHostRoot ? "host-root" : "caller");
  WriteName(json, "gpu", *policy.gpu == Gpu::kWsl ? "wsl" : "none");
  if (*policy.own_session) WriteName(json, "isolation", "session");
  WriteFlag(json, "nesting", *policy.nesting);
  WriteFlag(json, "timeNamespace", *policy.time_namespace);
  WriteName(json, "hostname", *policy.hostname);
  WriteName(json, "profile", policy.profile);
  WriteFlag(json, "sysfs", policy.sysfs);
  json.Close('}');
  return out;
}

std::string Digest(const EffectivePolicy& policy) { return Sha256(CanonicalJson(policy)); }

std::string Sha256(std::string_view text) {
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::string digest = "sha256:";
  char hex[2 * sizeof hash + 1];
  return digest += sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
}

}  // namespace mxc::policy
