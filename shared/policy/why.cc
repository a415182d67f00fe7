#include "shared/policy/why.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "shared/base/style.h"
#include "shared/network/names.h"
#include "shared/network/ruleset.h"
#include "shared/policy/cidr.h"
#include "shared/policy/environment.h"
#include "shared/policy/explain.h"
#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

constexpr std::string_view kOperations[] = {"read", "list", "write", "create", "delete", "execute"};

bool Changes(Operation operation) {
  return operation == Operation::kWrite || operation == Operation::kCreate || operation == Operation::kDelete;
}

// Text of a path inside JSON.
std::string JsonText(std::string_view text) {
  std::string json = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return Printable(json) + "\"";
}

std::string AddTo(const char* list, std::string_view path) {
  return std::string("add to the policy: {\"filesystem\": {\"") + list + "\": [" + JsonText(path) + "]}}";
}

// The list of the policy that would allow the operation.
const char* ListFor(Operation operation) { return Changes(operation) ? "readwritePaths" : "readonlyPaths"; }

// Made by the sandbox itself and not part of the tree.
struct OwnFolder {
  std::string_view path;
  bool writable;
  std::string_view rule;
};
constexpr OwnFolder kOwnFolders[] = {
    {"/tmp", true, "each sandbox has an empty /tmp of its own, in memory"},
    {"/dev/shm", true, "each sandbox has an empty /dev/shm of its own, in memory"},
    {"/dev", false, "each sandbox has a /dev of its own with the harmless devices"},
    {"/proc", false, "each sandbox has a /proc of its own, parts of it masked or read-only"},
};

const OwnFolder* FindOwnFolder(std::string_view path) {
  for (const OwnFolder& own : kOwnFolders) {
    if (IsWithin(path, own.path)) return &own;
  }
  return nullptr;
}

// Nothing in the tree covers the path.
void AnswerUncovered(Operation operation, std::string_view path, Answer& answer) {
  if (const OwnFolder* own = FindOwnFolder(path)) {
    answer.rule = own->rule;
    answer.origin = "built in";
    const bool fine = !Changes(operation) || own->writable;
    answer.verdict = fine ? Verdict::kConditional : Verdict::kDenied;
    answer.how = fine ? "what is outside under this name is not there" : "EACCES or EROFS";
    if (own->path == "/tmp") answer.remedy = AddTo(ListFor(operation), path);
    return;
  }
  answer.how = Changes(operation) ? "ENOENT or EROFS" : "ENOENT";
  answer.rule = "no rule covers this path, so it is not there inside";
  answer.remedy = AddTo(ListFor(operation), path);
}

std::string RemedyFor(const PathRule& rule, Operation operation, std::string_view path) {
  switch (rule.origin.layer) {
    case Layer::kFloor:
      return "the managed floor forbids it; only its owner can change " + Printable(rule.origin.name);
    case Layer::kBuiltin:
      return rule.origin.name == "a drive of Windows" ? AddTo(ListFor(operation), path)
                                                      : "nothing: no policy can allow this";
    case Layer::kProfile:
      // A profile's denial falls to its own name only where one list is about one path.
      return AddTo(ListFor(operation),
                   rule.access == Access::kDeny || rule.protect ? std::string_view(rule.path) : path);
    default:
      break;
  }
  if (rule.access == Access::kDeny || rule.protect) {
    return "remove " + Printable(rule.origin.pointer) + " from " + Printable(rule.origin.name) +
           ", or, for this path only, " +
           (rule.path == path ? "nothing else helps: a denial wins over a grant of the same path"
                              : AddTo(ListFor(operation), path));
  }
  return AddTo("readwritePaths", path);
}

}  // namespace

Result<Operation> ParseOperation(std::string_view name) {
  const auto at = std::find(std::begin(kOperations), std::end(kOperations), name);
  if (at != std::end(kOperations)) return static_cast<Operation>(at - std::begin(kOperations));
  return Error(Code::kUsage, "\"" + Printable(name) + "\" is no operation")
      .WithHint("there are: read, list, write, create, delete, execute");
}

std::string_view Spell(Operation operation) { return kOperations[static_cast<size_t>(operation)]; }

Answer WhyPath(const EffectivePolicy& policy, Operation operation, std::string_view path) {
  Answer answer;
  answer.question = std::string(Spell(operation)) + " " + Printable(path);
  // A grant of / shows the host's folders, but the sandbox's own are mounted over them.
  const PathRule* rule = Lookup(policy.paths, path);
  const OwnFolder* own = FindOwnFolder(path);
  if (rule == nullptr || (own != nullptr && !IsWithin(rule->path, own->path) && rule->access != Access::kDeny)) {
    if (rule == nullptr && *policy.rootfs && own == nullptr) {
      answer.verdict = Changes(operation) ? Verdict::kDenied : Verdict::kConditional;
      answer.how = Changes(operation) ? "EROFS" : "if it exists in " + Printable(**policy.rootfs);
      answer.rule = "the root folder is read-only: " + Printable(**policy.rootfs);
      answer.origin = DescribeOrigin(policy.rootfs.origin);
      if (Changes(operation)) answer.remedy = AddTo("readwritePaths", path);
      return answer;
    }
    AnswerUncovered(operation, path, answer);
    return answer;
  }
  answer.origin = DescribeOrigin(rule->origin);
  const std::string where = rule->path == path ? "" : " (everything below, unless a longer path says otherwise)";
  if (rule->access == Access::kDeny) {
    answer.how = operation == Operation::kDelete && rule->path == path ? "EBUSY" : "EACCES";
    answer.rule = Printable(rule->path) + " is denied" + where;
    if (rule->origin.layer == Layer::kBuiltin) answer.rule += ": " + rule->origin.name;
    answer.remedy = RemedyFor(*rule, operation, path);
  } else if (rule->access == Access::kReadOnly && Changes(operation)) {
    answer.how = rule->protect && rule->path == path && operation == Operation::kDelete ? "EBUSY" : "EROFS";
    answer.rule =
        Printable(rule->path) +
        (rule->protect ? " is protected: read-only, and not to be made where it doesn't exist" : " is read-only") +
        where;
    answer.remedy = RemedyFor(*rule, operation, path);
  } else {
    answer.verdict = Verdict::kAllowed;
    answer.rule = Printable(rule->path) +
                  (rule->access == Access::kReadOnly ? " is granted read-only" : " is granted read-write") + where;
    if (rule->if_present) answer.rule += ", if it is present";
  }
  return answer;
}

namespace {

// "192.0.2.1:443", "[2001:db8::1]:53", "udp 192.0.2.1:53", an address alone. Nothing: a name, or no address at all.
std::optional<network::Destination> DestinationOf(std::string_view text) {
  network::Destination to;
  to.transport = network::Transport::kTcp;
  constexpr std::pair<std::string_view, network::Transport> kTransports[] = {
      {"tcp ", network::Transport::kTcp}, {"udp ", network::Transport::kUdp}, {"icmp ", network::Transport::kIcmp}};
  for (const auto& [word, transport] : kTransports) {
    if (!text.starts_with(word)) continue;
    to.transport = transport;
    text.remove_prefix(word.size());
  }
  std::string_view address = text, port;
  const bool bracketed = text.starts_with('[') && text.find(']') != std::string_view::npos;
  if (bracketed) {
    address = text.substr(1, text.find(']') - 1);
    port = text.substr(text.find(']') + 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    address = text.substr(0, text.find(':'));
    port = text.substr(text.find(':'));
  }
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data() + 1, port.data() + port.size(), to.port);
    if (!port.starts_with(':') || error != std::errc() || end != port.data() + port.size()) return std::nullopt;
  }
  if (address.find('/') != std::string_view::npos) return std::nullopt;
  Result<Cidr> parsed = ParseCidr(address);
  if (!parsed.ok()) return std::nullopt;
  to.address = *parsed;
  return to;
}

std::string Failure(network::Transport transport) {
  return transport == network::Transport::kTcp ? "ECONNREFUSED at once" : "EPERM at once";
}

std::string AllowOf(const network::Destination& to) {
  return R"({"network": {"egress": {"allow": [{"to": [{"cidr": ")" + network::Spell(network::Unmapped(to.address)) +
         R"("}]}]}}})";
}

void WhyRule(const EffectivePolicy& policy, const network::Destination& to, Answer& answer) {
  // Which addresses are the host's shows when the sandbox starts; here only a rule about them can be told of.
  const network::Rule& rule = policy.egress_rules[network::Decide(policy.egress_rules, to, {})];
  answer.origin = rule.origin;
  answer.rule = network::Spell(rule);
  if (rule.allow) {
    const bool single = !rule.host && rule.to.prefix == (rule.to.v6 ? 128 : 32);
    answer.verdict = single ? Verdict::kAllowed : Verdict::kConditional;
    if (single) return;
    answer.how = Failure(to.transport) + " if it is an address of the host, of its gateways or of another sandbox";
    answer.remedy = "if it is one of those, name it by itself: " + AllowOf(to);
    return;
  }
  answer.how = Failure(to.transport);
  answer.remedy = rule.origin.ends_with("/default")
                      ? "allow it: " + AllowOf(to)
                      : "take the address out of that rule: what is denied stays denied, whatever else allows it";
}

struct NamedPort {
  std::string name;
  uint16_t port = 443;
};

// "example.org:22", "example.org". Nothing: no name.
std::optional<NamedPort> NamedPortOf(std::string_view text) {
  const Result<DomainPattern> pattern = ParseDomainPattern(text);
  if (!pattern.ok() || pattern->match != DomainMatch::kExact) return std::nullopt;
  NamedPort named{pattern->name};
  if (pattern->ports) named.port = pattern->ports->first;
  return named;
}

void WhyName(const EffectivePolicy& policy, const NamedPort& to, Answer& answer) {
  const std::optional<size_t> index = network::DecideName(policy.name_rules, to.name, to.port);
  if (index && policy.name_rules[*index].allow) {
    answer.verdict = Verdict::kConditional;
    answer.how =
        "ECONNRESET if the name leads to an address that isn't public or is denied, or TLS asks for another name";
    answer.rule = network::Spell(policy.name_rules[*index]);
    answer.origin = policy.name_rules[*index].origin;
    answer.remedy =
        "reset if it leads to an address that isn't public, or TLS asks for another name; such an address can be "
        "allowed by "
        "itself in network.egress.allow";
    return;
  }
  const bool looked_up = network::DecideLookup(policy.name_rules, to.name).has_value();
  answer.how = looked_up ? "ECONNRESET at once" : "the name isn't found, at once";
  if (index) {
    answer.rule = network::Spell(policy.name_rules[*index]);
    answer.origin = policy.name_rules[*index].origin;
    answer.remedy = "take the name out of that rule: what is denied stays denied, whatever else allows it";
    return;
  }
  if (*policy.egress == Default::kAllow) {
    answer.verdict = Verdict::kConditional;
    answer.how = "as the rules say for the addresses that the name has";
    answer.rule = "no rule of x-linux.domains is about it";
    return;
  }
  const std::string spelled =
      to.name + (to.port == 80 || to.port == 443 ? std::string() : ":" + std::to_string(to.port));
  answer.rule = "no rule of x-linux.domains allows it, and network.egress.default is deny";
  answer.remedy = "allow it: {\"x-linux\": {\"domains\": {\"allow\": [" + JsonText(spelled) + "]}}}";
}

}  // namespace

Answer WhyAddress(const EffectivePolicy& policy, std::string_view address) {
  Answer answer;
  answer.question = "connect to " + Printable(address);
  const bool loopback = address.starts_with("127.") || address.starts_with("localhost") || address.starts_with("::1") ||
                        address.starts_with("[::1]");
  answer.origin = DescribeOrigin(policy.egress.origin);
  if (loopback) {
    answer.verdict = Verdict::kConditional;
    answer.how = "only servers inside the sandbox are there";
    answer.rule = "each sandbox has a loopback device of its own";
    answer.origin = "built in";
  } else if (const std::optional<NamedPort> to = NamedPortOf(address); to && !policy.name_rules.empty()) {
    WhyName(policy, *to, answer);
  } else if (policy.egress_rules.empty()) {
    answer.how = "ENETUNREACH; names don't resolve";
    answer.rule = "network.egress.default is deny: the sandbox has a loopback device and nothing else";
    answer.remedy = R"(allow an address: {"network": {"egress": {"allow": [{"to": [{"cidr": "192.0.2.1"}]}]}}})";
  } else if (const std::optional<network::Destination> to = DestinationOf(address)) {
    WhyRule(policy, *to, answer);
  } else {
    answer.verdict = Verdict::kConditional;
    answer.how = "as the rules say for the addresses that the name has";
    answer.rule = "rules are about addresses, and a name is none";
    answer.remedy = "ask for the address, with its port: 192.0.2.1:443, [2001:db8::1]:443 or \"udp 192.0.2.1:53\"";
  }
  return answer;
}

Answer WhySyscall(const EffectivePolicy& policy, std::string_view syscall, const SyscallLookup& lookup) {
  const SyscallVerdict verdict = lookup(*policy.seccomp_profile, syscall);
  Answer answer;
  answer.question = "call " + Printable(syscall);
  answer.verdict = verdict.verdict;
  answer.how = verdict.how;
  answer.rule = "seccomp list " + *policy.seccomp_profile + (verdict.reason.empty() ? "" : ": " + verdict.reason);
  answer.origin = DescribeOrigin(policy.seccomp_profile.origin);
  if (verdict.verdict == Verdict::kAllowed) return answer;
  if (verdict.allowed_by.empty()) {
    answer.remedy = "no shipped list allows it";
  } else {
    const std::string first = verdict.allowed_by.substr(0, verdict.allowed_by.find(','));
    answer.remedy = "allowed by: " + verdict.allowed_by +
                    "; add to the policy: {\"x-linux\": {\"seccomp\": {\"profile\": " + JsonText(first) + "}}}";
  }
  return answer;
}

Answer WhyVariable(const EffectivePolicy& policy, std::string_view name) {
  Answer answer;
  answer.question = "variable " + Printable(name);
  for (const auto& entry : policy.env) {
    if (!entry->starts_with(name) || entry->size() <= name.size() || (*entry)[name.size()] != '=') continue;
    answer.verdict = Verdict::kAllowed;
    answer.rule = "it is set";
    answer.origin = DescribeOrigin(entry.origin);
    return answer;
  }
  answer.how = "unset";
  if (const std::string_view never = WhyNeverPassed(name); !never.empty()) {
    answer.rule = "it is never passed on: " + std::string(never);
    answer.remedy = "process.env can set a value of its own";
    return answer;
  }
  for (const auto& passed : policy.env_pass) {
    if (*passed != name) continue;
    answer.rule = "it is passed on, and the caller has none";
    answer.origin = DescribeOrigin(passed.origin);
    return answer;
  }
  answer.rule = "the environment starts empty, and nothing names it";
  answer.remedy = "add to the policy: {\"x-linux\": {\"env\": {\"pass\": [" + JsonText(name) + "]}}}";
  return answer;
}

std::string AsText(const Answer& answer) {
  constexpr std::string_view kVerdicts[] = {"allowed", "denied", "allowed with a condition"};
  std::string text = answer.question + ": " + std::string(kVerdicts[static_cast<size_t>(answer.verdict)]);
  if (!answer.how.empty()) text += " (" + answer.how + ")";
  text += "\n";
  auto line = [&](std::string_view label, const std::string& words) {
    if (words.empty()) return;
    text.append(label);
    AppendWrapped(words, label.size(), label.size(), text);
  };
  line("  rule      ", answer.rule);
  line("  from      ", answer.origin);
  line("  to allow  ", answer.remedy);
  return text;
}

}  // namespace mxc::policy
