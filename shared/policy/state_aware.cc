#include "shared/policy/state_aware.h"

#include <algorithm>
#include <array>
#include <utility>

#include "shared/policy/contract.h"
#include "shared/policy/contract_sections.h"

namespace mxc::policy {
namespace {

constexpr Choice<Phase> kPhases[] = {{"provision", Phase::kProvision},
                                     {"start", Phase::kStart},
                                     {"exec", Phase::kExec},
                                     {"stop", Phase::kStop},
                                     {"deprovision", Phase::kDeprovision}};

// Containments that have a life of several steps.
constexpr Choice<Containment> kContainments[] = {{"wslc", Containment::kWslc},
                                                 {"isolation_session", Containment::kIsolationSession},
                                                 {"windows_sandbox", Containment::kWindowsSandbox}};

using To = StateAwareRequest;

Result<void> Ignored(const Node&, To&) { return {}; }
Result<void> ReadText(const Node& node, To&) {
  MXC_TRY(node.String());
  return {};
}

constexpr Field<To> kSchema{"$schema", ReadText};
constexpr Field<To> kComment{"_comment", Ignored};
constexpr Field<To> kVersion{"version", Ignored};  // was read first, as `phase` was
constexpr Field<To> kPhase{"phase", Ignored};
constexpr Field<To> kTelemetry{"telemetry",
                               [](const Node& node, To& to) { return ReadTelemetry(node, to.policy.telemetry); }};
constexpr Field<To> kNetwork{"network", [](const Node& node, To& to) { return ReadNetwork(node, to.policy.network); }};
constexpr Field<To> kContainment{
    "containment", [](const Node& node, To& to) { return Store(to.policy.containment, node.Enum(kContainments)); },
    kRequired};

constexpr Field<To> kSandboxId{"sandboxId",
                               [](const Node& node, To& to) { return Store(to.sandbox_id, node.String()); }, kRequired};

constexpr Field<To> kIdentified[] = {kSchema, kComment, kVersion, kPhase, kTelemetry, kSandboxId};

constexpr Field<To> kExec[] = {
    kSchema,
    kComment,
    kVersion,
    kPhase,
    kTelemetry,
    kSandboxId,
    kNetwork,
    {"process", [](const Node& node, To& to) { return ReadProcess(node, false, to.policy.process.emplace()); },
     kRequired},
    {"runtimeConfig", [](const Node& node, To& to) { return ReadRuntimeConfig(node, to.policy.network_proxy); }},
};

constexpr Field<Wslc> kWslcProvision[] = {
    {"image", [](const Node& node, Wslc& wslc) { return Store(wslc.image, node.String()); }},
    {"imageTarPath", [](const Node& node, Wslc& wslc) { return Store(wslc.image_tar_path, node.String()); }},
    {"portMappings", ReadPortMappings},
};
constexpr Field<Wslc> kWslc[] = {
    {"provision", [](const Node& node, Wslc& wslc) { return ReadObject(node, kWslcProvision, wslc); }}};
constexpr Field<To> kProvisionWslc[] = {
    kSchema,
    kComment,
    kVersion,
    kPhase,
    kTelemetry,
    kContainment,
    kNetwork,
    {"filesystem", [](const Node& node, To& to) { return ReadFilesystem(node, to.policy.filesystem); }},
    {"wslc", [](const Node& node, To& to) { return ReadObject(node, kWslc, to.policy.wslc.emplace()); }},
};

constexpr Field<To> kSessionProvision[] = {
    {"appId", [](const Node& node, To& to) { return Store(to.app_id, node.String()); }}};
constexpr Field<To> kSession[] = {
    {"provision", [](const Node& node, To& to) { return ReadObject(node, kSessionProvision, to); }}};
constexpr Field<To> kProvisionSession[] = {
    kSchema,
    kComment,
    kVersion,
    kPhase,
    kTelemetry,
    kContainment,
    {"network", [](const Node& node, To& to) { return ReadNetwork(node, to.policy.network); }, kRequired},
    {"isolationSession", [](const Node& node, To& to) { return ReadObject(node, kSession, to); }},
};

constexpr Field<To> kProvisionOther[] = {kSchema, kComment, kVersion, kPhase, kTelemetry, kContainment};

const Member* FindMember(const Node& object, std::string_view name) {
  const auto& members = object.value().members;
  const auto found = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
  return found == members.end() ? nullptr : &*found;
}

// An isolation session has the network of the user who is in it.
Result<void> CheckSessionNetwork(const Node& root, const Network& network) {
  if (network.egress == Default::kAllow && network.ingress == Default::kAllow &&
      network.host_loopback == Default::kAllow && network.egress_allow.empty() && network.egress_deny.empty()) {
    return {};
  }
  return Node(root, *FindMember(root, "network"))
      .Invalid("an isolation session has the whole network, and this says otherwise")
      .WithHint("write \"allow\" for egress.default, ingress.default and ingress.hostLoopback, and no rules");
}

Result<void> CheckPortMappings(const Node& root, const Contract& contract, const Policy& policy) {
  if (!policy.wslc || policy.wslc->port_mappings.empty() || contract.bit >= k11) return {};
  return Node(root, *FindMember(root, "wslc"))
      .Invalid("the field \"portMappings\" of provision comes with contract 1.1.0-alpha, and this request is of " +
               std::string(contract.spelling));
}

Result<void> ReadProvision(const Node& root, const Contract& contract, To& request) {
  const Member* containment = FindMember(root, "containment");
  if (containment == nullptr) return MissingField(root, "containment");
  switch (MXC_TRY(Node(root, *containment).Enum(kContainments))) {
    case Containment::kWslc:
      MXC_TRY(ReadObject(root, kProvisionWslc, request));
      return CheckPortMappings(root, contract, request.policy);
    case Containment::kIsolationSession:
      MXC_TRY(ReadObject(root, kProvisionSession, request));
      return CheckSessionNetwork(root, request.policy.network);
    default:
      return ReadObject(root, kProvisionOther, request);
  }
}

}  // namespace

std::string_view PhaseName(Phase phase) {
  for (const auto& choice : kPhases) {
    if (choice.value == phase) return choice.name;
  }
  return "";
}

bool HasPhase(std::string_view text, const ReadOptions& options) {
  const Result<Value> document = ParseDocument(text, options.source, options.format);
  return document.ok() && document->kind == Kind::kObject &&
         FindMember(Node(*document, options.source), "phase") != nullptr;
}

Result<StateAwareRequest> ReadStateAware(std::string_view text, const ReadOptions& options) {
  const Value document = MXC_TRY(ParseDocument(text, options.source, options.format));
  const Node root(document, options.source);
  const Contract* contract = MXC_TRY(FindContract(root));
  MXC_TRY(CheckFields(root, *contract));
  const Member* phase = FindMember(root, "phase");
  if (phase == nullptr) {
    return MissingField(root, "phase").WithHint("a request without a phase runs once: mxc run takes it");
  }
  StateAwareRequest request;
  request.phase = MXC_TRY(Node(root, *phase).Enum(kPhases));
  request.policy.declared_version = request.policy.version = contract->spelling;
  request.policy.source = options.source;
  if (request.phase == Phase::kProvision) {
    MXC_TRY(ReadProvision(root, *contract, request));
  } else if (request.phase == Phase::kExec) {
    MXC_TRY(ReadObject(root, kExec, request));
  } else {
    MXC_TRY(ReadObject(root, kIdentified, request));
  }
  request.policy.positions = IndexPositions(document, options.source);
  return request;
}

Result<void> CheckSandboxId(const StateAwareRequest& request) {
  const std::string& id = request.sandbox_id;
  const size_t colon = id.find(':');
  if (request.phase == Phase::kProvision || (colon != std::string::npos && colon != 0 && colon + 1 != id.size())) {
    return {};
  }
  return Error(Code::kInvalid, "the identifier " + Quote(id) + " has not the form PREFIX:TOKEN")
      .WithHint("give what provision answered")
      .WithPosition(request.policy.positions.at("/sandboxId"));
}

}  // namespace mxc::policy
