// A one-shot request in its newest form. State-aware requests (those with `phase`) are refused by name: state_aware.h.
#include <string>
#include <string_view>
#include <utility>

#include "shared/policy/contract.h"
#include "shared/policy/contract_sections.h"

namespace mxc::policy {
namespace {

// The Policy and what has to be looked at together once every field was read.
struct Request {
  Policy& policy;
  bool process_optional;
};

constexpr Choice<Containment> kContainments[] = {
    {"process", Containment::kProcess},   {"processcontainer", Containment::kProcessContainer},
    {"lxc", Containment::kLxc},           {"bubblewrap", Containment::kBubblewrap},
    {"seatbelt", Containment::kSeatbelt}, {"isolation_session", Containment::kIsolationSession},
    {"wslc", Containment::kWslc},         {"vm", Containment::kVm},
    {"microvm", Containment::kMicrovm},   {"windows_sandbox", Containment::kWindowsSandbox},
    {"mxc", Containment::kMxc},           {"hyperlight", Containment::kHyperlight},
};

// Sections of one backend each.
struct Backend {
  std::string_view section;
  Containment containment;
};
constexpr Backend kBackends[] = {
    {"processContainer", Containment::kProcessContainer},
    {"seatbelt", Containment::kSeatbelt},
    {"wslc", Containment::kWslc},
    {"lxc", Containment::kLxc},
    {"hyperlight", Containment::kHyperlight},
    {"windowsSandbox", Containment::kWindowsSandbox},
};

Result<void> Ignored(const Node&, Request&) { return {}; }

Result<void> ReadProcessSection(const Node& node, Request& request) {
  return ReadProcess(node, request.process_optional, request.policy.process.emplace());
}

constexpr Field<Request> kRoot[] = {
    {"$schema",
     [](const Node& node, Request&) -> Result<void> {
       MXC_TRY(node.String());
       return {};
     }},
    {"_comment", Ignored},
    {"version", Ignored},  // was read first
    {"containerId", [](const Node& node, Request& to) { return Store(to.policy.container_id, node.String()); }},
    {"containment",
     [](const Node& node, Request& to) { return Store(to.policy.containment, node.Enum(kContainments)); }},
    {"lifecycle", [](const Node& node, Request& to) { return ReadLifecycle(node, to.policy.lifecycle); }},
    {"process", ReadProcessSection},
    {"filesystem", [](const Node& node, Request& to) { return ReadFilesystem(node, to.policy.filesystem); }},
    {"fallback", [](const Node& node, Request& to) { return ReadFallback(node, to.policy.allow_dacl_mutation); }},
    {"network", [](const Node& node, Request& to) { return ReadNetwork(node, to.policy.network); }},
    {"runtimeConfig", [](const Node& node, Request& to) { return ReadRuntimeConfig(node, to.policy.network_proxy); }},
    {"ui", [](const Node& node, Request& to) { return ReadUi(node, to.policy.ui); }},
    {"lxc", [](const Node& node, Request& to) { return ReadLxc(node, to.policy.lxc.emplace()); }},
    {"telemetry", [](const Node& node, Request& to) { return ReadTelemetry(node, to.policy.telemetry); }},
    {"processContainer", [](const Node& node, Request&) { return CheckProcessContainer(node); }},
    {"seatbelt", [](const Node& node, Request&) { return CheckSeatbelt(node); }},
    {"hyperlight", [](const Node& node, Request&) { return CheckHyperlight(node); }},
    {"windowsSandbox", [](const Node& node, Request&) { return CheckWindowsSandbox(node); }},
    {"test", [](const Node& node, Request&) { return CheckTest(node); }},
    {"wslc", [](const Node& node, Request& to) { return ReadWslc(node, to.policy.wslc.emplace()); }},
    {"x-linux", [](const Node& node, Request& to) { return ReadXLinux(node, to.policy.x_linux.emplace()); }},
};

std::string_view NameOf(Containment containment) {
  for (const auto& choice : kContainments) {
    if (choice.value == containment) return choice.name;
  }
  return "process";
}

const Member* FindMember(const Node& object, std::string_view name) {
  for (const Member& member : object.value().members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

// One containment, and no section of another.
Result<void> CheckContainment(const Node& root, const Policy& policy) {
  const std::string name(NameOf(policy.containment));
  for (const Backend& backend : kBackends) {
    const Member* section = FindMember(root, backend.section);
    if (section == nullptr || backend.containment == policy.containment) continue;
    return Error(Code::kInvalid,
                 "the section " + Quote(backend.section) + " does not belong to containment " + Quote(name))
        .WithHint("remove the section, also when it is empty, or set \"containment\": " +
                  Quote(NameOf(backend.containment)))
        .WithPosition(Node(root, *section).WhereName());
  }
  switch (policy.containment) {
    case Containment::kProcess:
    case Containment::kBubblewrap:
    case Containment::kWslc:
    case Containment::kMxc:
      return {};
    case Containment::kLxc:
      if (policy.lxc) return {};
      return MissingField(root, "lxc").WithHint("containment \"lxc\" needs lxc.distribution and lxc.release");
    case Containment::kProcessContainer:
    case Containment::kSeatbelt:
    case Containment::kIsolationSession:
    case Containment::kVm:
    case Containment::kWindowsSandbox:
    case Containment::kMicrovm:
    case Containment::kHyperlight:
      break;
  }
  return Node(root, *FindMember(root, "containment"))
      .Fail(Code::kUnsupported, "the containment " + Quote(name) + " is not available on Linux")
      .WithHint("use \"process\", which is also the default");
}

// A proxy is the only way out, so nothing else may open one.
Result<void> CheckProxy(const Node& root, const Policy& policy) {
  if (!policy.network_proxy) return {};
  const Network& network = policy.network;
  const bool names = policy.x_linux && (!policy.x_linux->domains.empty() || !policy.x_linux->domain_groups.empty() ||
                                        policy.x_linux->domain_sent_bytes);
  const bool rules = network.egress == Default::kAllow || !network.egress_allow.empty() || !network.egress_deny.empty();
  if (!rules && !names) return {};
  const Node config(root, *FindMember(root, "runtimeConfig"));
  return Node(config, *FindMember(config, "networkProxy"))
      .Invalid("a proxy needs network.egress.default \"deny\", no rules and no x-linux.domains")
      .WithHint("let the proxy decide, or remove it and write rules");
}

}  // namespace

Result<void> ReadRequest(const Node& root, const ReadOptions& options, Policy& policy) {
  for (const std::string_view name : {"phase", "sandboxId"}) {
    if (const Member* member = FindMember(root, name)) {
      return Error(Code::kUnsupported, "expected a one-shot request, found a state-aware one (" + Quote(name) + ")")
          .WithHint("remove the field for a one-shot request")
          .WithPosition(Node(root, *member).WhereName());
    }
  }
  Request request{policy, options.process_optional};
  MXC_TRY(ReadObject(root, kRoot, request));
  if (!policy.process && !options.process_optional) {
    return MissingField(root, "process")
        .WithHint("add \"process\": { \"commandLine\": … }, or give a command after --");
  }
  MXC_TRY(CheckContainment(root, policy));
  return CheckProxy(root, policy);
}

}  // namespace mxc::policy
