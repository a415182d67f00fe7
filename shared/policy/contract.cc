#include "shared/policy/contract.h"

#include <string>

namespace mxc::policy {
namespace {

constexpr Contract kContracts[] = {
    {"0.4.0-alpha", nullptr}, {"0.5.0-alpha", nullptr}, {"0.6.0-alpha", nullptr},   {"0.7.0-alpha", nullptr},
    {"0.8.0-alpha", nullptr}, {"0.9.0-alpha", nullptr}, {"1.0.0", ReadContract100}, {"1.1.0-alpha", nullptr},
};

std::string Listed(bool only_readable) {
  std::string list;
  for (const Contract& contract : kContracts) {
    if (only_readable && contract.read == nullptr) continue;
    if (!list.empty()) list += ", ";
    list += contract.spelling;
  }
  return list;
}

}  // namespace

std::span<const Contract> Contracts() { return kContracts; }

Result<const Contract*> FindContract(const Node& root) {
  if (root.value().kind != Kind::kObject) return root.Expected("an object");
  for (const Member& member : root.value().members) {
    if (member.name != "version") continue;
    const Node version(root, member);
    if (version.value().kind != Kind::kString) {
      return version.Expected("a string").WithHint("write the contract version in quotes: " + Listed(true));
    }
    const std::string& spelling = version.value().text;
    for (const Contract& contract : kContracts) {
      if (contract.spelling != spelling) continue;
      if (contract.read != nullptr) return &contract;
      return version.Fail(Code::kUnsupported,
                          "contract " + spelling + " is known but not read yet; readable: " + Listed(true));
    }
    return version
        .Invalid("unknown contract version " + Quote(spelling) + "; known: " + Listed(false) +
                 "; readable: " + Listed(true))
        .WithHint("versions are compared letter by letter");
  }
  return MissingField(root, "version").WithHint("add \"version\": \"1.0.0\"");
}

}  // namespace mxc::policy
