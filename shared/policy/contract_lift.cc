// The steps from one contract to the next. Each changes a document that its own version allows into one that the next
// version allows and that means the same.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "shared/policy/cidr.h"
#include "shared/policy/contract.h"

namespace mxc::policy {
namespace {

Value* Find(Value& object, std::string_view name) { return const_cast<Value*>(std::as_const(object).Find(name)); }

void Remove(Value& object, std::string_view name) {
  std::erase_if(object.members, [name](const Member& member) { return member.name == name; });
}

// A value that stands where `place` does.
Value Text(const Value& place, std::string text) {
  Value value;
  value.kind = Kind::kString;
  value.text = std::move(text);
  value.line = place.line;
  value.column = place.column;
  return value;
}

Value Empty(const Value& place, Kind kind) {
  Value value;
  value.kind = kind;
  value.line = place.line;
  value.column = place.column;
  return value;
}

Value& Add(Value& object, std::string_view name, Value value) {
  Member member{std::string(name), value.line, value.column, std::move(value)};
  object.members.push_back(std::move(member));
  return object.members.back().value;
}

Value& FindOrAdd(Value& object, std::string_view name, const Value& place) {
  Value* found = Find(object, name);
  return found != nullptr ? *found : Add(object, name, Empty(place, Kind::kObject));
}

void Rename(Value& object, std::string_view from, std::string_view to) {
  for (Member& member : object.members) {
    if (member.name == from) member.name = to;
  }
}

Result<void> RenameSection(Value& root, const std::string& source, std::string_view from, std::string_view to) {
  if (Find(root, from) == nullptr) return {};
  if (Find(root, to) != nullptr) {
    for (const Member& member : root.members) {
      if (member.name != from) continue;
      return Error(Code::kInvalid, Quote(from) + " is the old name of " + Quote(to) + ", and both are here")
          .WithHint("keep one of them")
          .WithPosition(Node(Node(root, source), member).WhereName());
    }
  }
  Rename(root, from, to);
  return {};
}

void RenameContainment(Value& root, std::string_view from, std::string_view to) {
  Value* containment = Find(root, "containment");
  if (containment != nullptr && containment->kind == Kind::kString && containment->text == from) containment->text = to;
}

// ---- 0.5 → 0.6: what was granted by saying nothing is said; names change ----

Result<void> Lift05(Value& root, const std::string& source) {
  if (Find(root, "containment") == nullptr) Add(root, "containment", Text(root, "appcontainer"));
  RenameContainment(root, "appcontainer", "processcontainer");
  RenameContainment(root, "macos_sandbox", "seatbelt");
  MXC_TRY(RenameSection(root, source, "appContainer", "processContainer"));
  Value& network = FindOrAdd(root, "network", root);
  if (network.kind == Kind::kObject && Find(network, "defaultPolicy") == nullptr && Find(network, "proxy") == nullptr) {
    Add(network, "defaultPolicy", Text(network, "allow"));
  }
  Value* experimental = Find(root, "experimental");
  if (experimental == nullptr) return {};
  const Node whole(root, source);
  const Node node(whole, *std::find_if(root.members.begin(), root.members.end(),
                                       [](const Member& member) { return member.name == "experimental"; }));
  if (experimental->kind != Kind::kObject) return node.Expected("an object");
  constexpr std::pair<std::string_view, std::string_view> kSections[] = {
      {"test", "test"}, {"windows_sandbox", "windowsSandbox"}, {"wslc", "wslc"}, {"macos_sandbox", "seatbelt"}};
  std::vector<Member> moved;
  for (Member& member : experimental->members) {
    const auto* known = std::find_if(std::begin(kSections), std::end(kSections),
                                     [&](const auto& section) { return section.first == member.name; });
    if (known == std::end(kSections)) {
      constexpr std::string_view kNames[] = {"test", "windows_sandbox", "wslc", "macos_sandbox"};
      return UnknownField(Node(node, member), member.name, kNames);
    }
    moved.push_back(member);
    moved.back().name = known->second;
  }
  Remove(root, "experimental");
  for (Member& member : moved) root.members.push_back(std::move(member));
  return {};
}

// ---- 0.8 → 0.9: nulls stood for absent fields; the old network fields become rules ----

void DropNulls(Value& value) {
  std::erase_if(value.members,
                [](const Member& member) { return member.value.kind == Kind::kNull && member.name != "_comment"; });
  for (Member& member : value.members) {
    if (member.name != "_comment") DropNulls(member.value);
  }
  for (Value& item : value.items) DropNulls(item);
}

constexpr std::string_view kOldNetwork[] = {"defaultPolicy", "enforcementMode",   "allowedHosts",
                                            "blockedHosts",  "allowLocalNetwork", "proxy"};

// Rules of addresses, one a host.
Result<Value> RulesOf(const Node& hosts) {
  Value rules = Empty(hosts.value(), Kind::kArray);
  MXC_TRY(hosts.ForEach([&](const Node& host) -> Result<void> {
    const std::string text = MXC_TRY(host.String());
    Result<Cidr> range = ParseCidr(text);
    if (!range.ok()) {
      const bool name = text.find_first_not_of("0123456789abcdefABCDEF.:/") != std::string::npos;
      if (!name) return std::move(range).error().WithPosition(host.Where());
      return host
          .Fail(Code::kUnsupported, "the host name " + Quote(text) + " can't be allowed or denied by address rules")
          .WithHint("name address ranges; a name's addresses change");
    }
    Value rule = Empty(host.value(), Kind::kObject), to = Empty(host.value(), Kind::kArray),
          peer = Empty(host.value(), Kind::kObject);
    Add(peer, "cidr", Text(host.value(), text));
    to.items.push_back(std::move(peer));
    Add(rule, "to", std::move(to));
    rules.items.push_back(std::move(rule));
    return {};
  }));
  return rules;
}

struct OldProxy {
  std::optional<std::string> url;
};

constexpr Field<OldProxy> kProxy[] = {
    {"localhost",
     [](const Node& node, OldProxy& proxy) -> Result<void> {
       if (proxy.url) return node.Invalid("a proxy is named twice");
       proxy.url = "http://127.0.0.1:" + std::to_string(MXC_TRY(node.U16(1)));
       return {};
     }},
    {"url",
     [](const Node& node, OldProxy& proxy) -> Result<void> {
       if (proxy.url) return node.Invalid("a proxy is named twice");
       return Store(proxy.url, node.String());
     }},
    {"builtinTestServer",
     [](const Node& node, OldProxy&) -> Result<void> {
       if (!MXC_TRY(node.Bool())) return {};
       return node.Fail(Code::kUnsupported, "the test proxy of Microsoft's executor does not exist here")
           .WithHint("run a proxy of your own and name it in runtimeConfig.networkProxy");
     }},
};

constexpr Choice<const char*> kPolicies[] = {{"allow", "allow"}, {"block", "deny"}};
constexpr Choice<bool> kModes[] = {{"capabilities", true}, {"firewall", true}, {"both", true}};

Result<void> LiftProxy(Value& root, const Node& proxy) {
  OldProxy old;
  MXC_TRY(ReadObject(proxy, kProxy, old));
  if (!old.url) return proxy.Invalid("the proxy names none").WithHint("write \"localhost\" with a port, or \"url\"");
  const Value place = proxy.value();
  Value& config = FindOrAdd(root, "runtimeConfig", place);
  if (Find(config, "networkProxy") != nullptr) {
    return proxy.Invalid("the proxy is named in runtimeConfig.networkProxy, too").WithHint("keep that one");
  }
  Add(config, "networkProxy", Text(place, *old.url));
  return {};
}

Result<void> LiftNetwork(Value& root, const std::string& source) {
  const auto section =
      std::find_if(root.members.begin(), root.members.end(), [](const Member& m) { return m.name == "network"; });
  if (section == root.members.end() || section->value.kind != Kind::kObject) return {};  // the reader complains
  const Member copied = *section;
  const Node whole(root, source), network(whole, copied);
  bool old = false;
  for (const Member& member : copied.value.members) {
    old |= std::find(std::begin(kOldNetwork), std::end(kOldNetwork), member.name) != std::end(kOldNetwork);
  }
  if (!old) return {};
  Value lifted = Empty(copied.value, Kind::kObject);
  for (const Member& member : copied.value.members) {
    const Node node(network, member);
    const auto egress = [&]() -> Value& { return FindOrAdd(lifted, "egress", member.value); };
    if (member.name == "egress" || member.name == "ingress") {
      return Error(Code::kInvalid, "the old network fields and " + Quote(member.name) + " can't stand together")
          .WithHint("write everything as egress and ingress")
          .WithPosition(node.WhereName());
    } else if (member.name == "defaultPolicy") {
      Add(egress(), "default", Text(member.value, MXC_TRY(node.Enum(kPolicies))));
    } else if (member.name == "enforcementMode") {
      MXC_TRY(node.Enum(kModes));
    } else if (member.name == "allowedHosts") {
      Add(egress(), "allow", MXC_TRY(RulesOf(node)));
    } else if (member.name == "blockedHosts") {
      Add(egress(), "deny", MXC_TRY(RulesOf(node)));
    } else if (member.name == "allowLocalNetwork") {
      if (!MXC_TRY(node.Bool())) continue;
      return node.Fail(Code::kUnsupported, "access to \"the local network\" has no address ranges")
          .WithHint("write network.egress.allow with the local ranges, or network.ingress.hostLoopback");
    } else if (member.name == "proxy") {
      MXC_TRY(LiftProxy(root, node));
    } else {
      lifted.members.push_back(member);  // the reader complains
    }
  }
  *Find(root, "network") = std::move(lifted);
  return {};
}

Result<void> Lift08(Value& root, const std::string& source) {
  if (Value* seatbelt = Find(root, "seatbelt")) Remove(*seatbelt, "launchMethod");
  return LiftNetwork(root, source);
}

// ---- 0.9 → 1.0: aliases go ----

Result<void> Lift09(Value& root, const std::string& source) {
  RenameContainment(root, "appcontainer", "processcontainer");
  RenameContainment(root, "macos_sandbox", "seatbelt");
  MXC_TRY(RenameSection(root, source, "appContainer", "processContainer"));
  return RenameSection(root, source, "macos_sandbox", "seatbelt");
}

struct Step {
  Versions from;
  Result<void> (*lift)(Value& root, const std::string& source);
};
// The other steps only add fields: what a document says means the same in the next version.
constexpr Step kSteps[] = {{k05, Lift05}, {k08, Lift08}, {k09, Lift09}};

}  // namespace

Result<void> Lift(Value& document, const std::string& source, const Contract& contract) {
  if (contract.bit == k08) DropNulls(document);
  for (const Step& step : kSteps) {
    if (step.from >= contract.bit) MXC_TRY(step.lift(document, source));
  }
  return {};
}

}  // namespace mxc::policy
