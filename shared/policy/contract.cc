#include "shared/policy/contract.h"

#include <string>

namespace mxc::policy {
namespace {

constexpr Contract kContracts[] = {
    {k04, "0.4.0-alpha"}, {k05, "0.5.0-alpha"}, {k06, "0.6.0-alpha"}, {k07, "0.7.0-alpha"},
    {k08, "0.8.0-alpha"}, {k09, "0.9.0-alpha"}, {k10, "1.0.0"},       {k11, "1.1.0-alpha"},
};

std::string Listed() {
  std::string list;
  for (const Contract& contract : kContracts) {
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
      return version.Expected("a string").WithHint("write the contract version in quotes: " + Listed());
    }
    for (const Contract& contract : kContracts) {
      if (contract.spelling == version.value().text) return &contract;
    }
    return version.Invalid("unknown contract version " + Quote(version.value().text) + "; known: " + Listed())
        .WithHint("versions are compared letter by letter");
  }
  return MissingField(root, "version").WithHint("add \"version\": \"1.0.0\"");
}

}  // namespace mxc::policy
