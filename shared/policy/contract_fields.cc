// Which versions have which fields and values, where they differ.
#include <bit>
#include <string>
#include <string_view>

#include "shared/policy/contract.h"

namespace mxc::policy {
namespace {

// A member, by the object it stands in ("" is the root).
struct FieldOfVersions {
  std::string_view object, name;
  Versions versions;
  std::string_view today = {};  // what says the same now
};

constexpr std::string_view kEgressDefault = "write network.egress.default: \"allow\" or \"deny\"";

constexpr FieldOfVersions kFields[] = {
    {"", "ui", Since(k05)},
    {"", "fallback", Since(k06)},
    {"", "processContainer", Since(k06)},
    {"", "appContainer", Until(k09), "write processContainer"},
    {"", "experimental", k05, "its sections stand at the top level"},
    {"", "seatbelt", Since(k07)},
    {"", "macos_sandbox", k09, "write seatbelt"},
    {"", "runtimeConfig", Since(k08)},
    {"", "telemetry", Since(k09)},
    {"", "wslc", Since(k09)},
    {"", "phase", Since(k09)},
    {"", "sandboxId", Since(k09)},
    {"", "hyperlight", Since(k11)},
    {"", "windowsSandbox", Since(k11)},
    {"", "test", Since(k11)},
    {"process", "inheritDefaultEnv", Since(k09)},
    {"network", "defaultPolicy", Until(k08), kEgressDefault},
    {"network", "enforcementMode", Until(k08), "leave it out: rules are always enforced"},
    {"network", "allowedHosts", Until(k08), "write network.egress.allow with address ranges"},
    {"network", "blockedHosts", Until(k08), "write network.egress.deny with address ranges"},
    {"network", "allowLocalNetwork", k06 | k07 | k08,
     "write network.egress.allow with the local ranges, or network.ingress.hostLoopback"},
    {"network", "proxy", Until(k08), "write runtimeConfig.networkProxy"},
    {"network", "egress", Since(k08)},
    {"network", "ingress", Since(k08)},
    {"seatbelt", "launchMethod", k07 | k08, "leave it out"},
    {"processContainer", "captureDenials", Since(k08)},
    {"processContainer", "learningMode", Since(k08)},
    {"processContainer", "network", Since(k08)},
    {"processContainer", "filesystem", Since(k09)},
    {"processContainer", "ui", Since(k05)},
};

struct ValueOfVersions {
  std::string_view name;
  Versions versions;
  std::string_view today = {};
};

constexpr ValueOfVersions kContainments[] = {
    {"appcontainer", Until(k09), "write \"processcontainer\""},
    {"macos_sandbox", k05 | k09, "write \"seatbelt\""},
    {"process", Since(k06)},
    {"processcontainer", Since(k06)},
    {"bubblewrap", Since(k06)},
    {"seatbelt", Since(k07)},
    {"isolation_session", Since(k09)},
    {"wslc", k05 | Since(k09)},
    {"vm", Since(k11)},
    {"windows_sandbox", k05 | Since(k11)},
    {"microvm", k05 | Since(k11)},
    {"hyperlight", Since(k11)},
};

std::string SpellingOf(Versions bit) {
  for (const Contract& contract : Contracts()) {
    if (contract.bit == bit) return std::string(contract.spelling);
  }
  return "";
}

// "is gone since contract 0.9.0-alpha", "comes with contract 0.8.0-alpha; this document is 0.6.0-alpha"
Error WrongVersion(const Position& place, const std::string& what, Versions versions, std::string_view today,
                   const Contract& contract) {
  const auto later = static_cast<Versions>(versions & Since(contract.bit));
  if (later != 0) {
    const auto first = static_cast<Versions>(later & -later);
    return Error(Code::kInvalid, what + " comes with contract " + SpellingOf(first) + ", and this document is of " +
                                     std::string(contract.spelling))
        .WithHint("`mxc migrate` writes the document anew in the newest form")
        .WithPosition(place);
  }
  const auto gone = static_cast<Versions>(std::bit_floor(versions) << 1);
  return Error(Code::kInvalid, what + " is gone since contract " + SpellingOf(gone))
      .WithHint(std::string(today))
      .WithPosition(place);
}

Result<void> CheckObject(const Node& object, std::string_view name, const Contract& contract) {
  for (const Member& member : object.value().members) {
    for (const FieldOfVersions& field : kFields) {
      if (field.object != name || field.name != member.name || (field.versions & contract.bit) != 0) continue;
      return WrongVersion(Node(object, member).WhereName(), "the field " + Quote(member.name), field.versions,
                          field.today, contract);
    }
  }
  return {};
}

}  // namespace

Result<void> CheckFields(const Node& root, const Contract& contract) {
  MXC_TRY(CheckObject(root, "", contract));
  for (const Member& member : root.value().members) {
    const Node child(root, member);
    // Before 0.6 this section had another name.
    MXC_TRY(CheckObject(child, member.name == "appContainer" ? "processContainer" : member.name, contract));
    if (member.name != "containment" || member.value.kind != Kind::kString) continue;
    for (const ValueOfVersions& value : kContainments) {
      if (value.name != member.value.text || (value.versions & contract.bit) != 0) continue;
      return WrongVersion(child.Where(), "the containment " + Quote(member.value.text), value.versions, value.today,
                          contract);
    }
  }
  return {};
}

}  // namespace mxc::policy
