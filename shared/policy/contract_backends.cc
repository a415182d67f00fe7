#include <string>
#include <utility>

#include "shared/policy/contract_sections.h"

namespace mxc::policy {
namespace {

// ---- wslc ----

constexpr Choice<bool> kTransports[] = {{"tcp", true}};

constexpr Field<PortMapping> kPortMapping[] = {
    {"containerPort", [](const Node& node, PortMapping& mapping) { return Store(mapping.container_port, node.U16(1)); },
     kRequired},
    {"windowsPort", [](const Node& node, PortMapping& mapping) { return Store(mapping.host_port, node.U16(1)); },
     kRequired},
    {"protocol",
     [](const Node& node, PortMapping&) -> Result<void> {
       MXC_TRY(node.Enum(kTransports));
       return {};
     }},
};

}  // namespace

Result<void> ReadPortMappings(const Node& node, Wslc& into) {
  return node.ForEach(
      [&](const Node& item) { return ReadObject(item, kPortMapping, into.port_mappings.emplace_back()); });
}

namespace {

constexpr Field<Wslc> kWslc[] = {
    {"cpuCount", [](const Node& node, Wslc& wslc) { return Store(wslc.cpu_count, node.U32(1)); }},
    {"memoryMb", [](const Node& node, Wslc& wslc) { return Store(wslc.memory_mb, node.U64(1, UINT64_MAX >> 20)); }},
    {"gpu", [](const Node& node, Wslc& wslc) { return Store(wslc.gpu, node.Bool()); }},
    {"image", [](const Node& node, Wslc& wslc) { return Store(wslc.image, node.String()); }},
    {"imageTarPath", [](const Node& node, Wslc& wslc) { return Store(wslc.image_tar_path, node.String()); }},
    {"storagePath", [](const Node& node, Wslc& wslc) { return Store(wslc.storage_path, node.String()); }},
    {"targetOs", [](const Node& node, Wslc& wslc) { return Store(wslc.target_os, node.String()); }},
    {"portMappings", ReadPortMappings},
};

// ---- what no Linux has: types only ----

struct Nothing {};

Result<void> CheckText(const Node& node, Nothing&) {
  MXC_TRY(node.String());
  return {};
}
Result<void> CheckTexts(const Node& node, Nothing&) {
  MXC_TRY(node.Strings());
  return {};
}
Result<void> CheckBool(const Node& node, Nothing&) {
  MXC_TRY(node.Bool());
  return {};
}
Result<void> CheckU32(const Node& node, Nothing&) {
  MXC_TRY(node.U32());
  return {};
}

constexpr Choice<bool> kCaptureModes[] = {{"block", true}, {"allow", true}};
constexpr Field<Nothing> kCaptureDenials[] = {
    {"mode",
     [](const Node& node, Nothing&) -> Result<void> {
       MXC_TRY(node.Enum(kCaptureModes));
       return {};
     }},
    {"outputPath", CheckText},
    {"retainEtl", CheckBool},
};
constexpr Field<Nothing> kContainerNetwork[] = {{"allowedProxyPeer", CheckText}};
constexpr Field<Nothing> kContainerFilesystem[] = {{"enumeratePaths", CheckTexts}};
constexpr Choice<bool> kIsolations[] = {{"desktop", true}, {"handles", true}, {"atoms", true}, {"container", true}};
constexpr Field<Nothing> kContainerUi[] = {
    {"isolation",
     [](const Node& node, Nothing&) -> Result<void> {
       MXC_TRY(node.Enum(kIsolations));
       return {};
     }},
    {"desktopSystemControl", CheckBool},
    {"systemSettings", CheckText},
    {"ime", CheckBool},
};
constexpr Field<Nothing> kProcessContainer[] = {
    {"leastPrivilege", CheckBool},
    {"learningMode", CheckBool},
    {"capabilities", CheckTexts},
    {"captureDenials", [](const Node& node, Nothing& none) { return ReadObject(node, kCaptureDenials, none); }},
    {"network", [](const Node& node, Nothing& none) { return ReadObject(node, kContainerNetwork, none); }},
    {"filesystem", [](const Node& node, Nothing& none) { return ReadObject(node, kContainerFilesystem, none); }},
    {"ui", [](const Node& node, Nothing& none) { return ReadObject(node, kContainerUi, none); }},
};
constexpr Field<Nothing> kSeatbelt[] = {
    {"profileOverride", CheckText},   {"guiAccess", CheckBool}, {"nestedPty", CheckBool}, {"keychainAccess", CheckBool},
    {"extraMachLookups", CheckTexts}, {"mode", CheckText},  // of 0.5 only, when it was called macos_sandbox
};
constexpr Choice<bool> kRuntimes[] = {{"agent", true}, {"python", true}, {"python-shell", true},
                                      {"node", true},  {"bash", true},   {"dotnet-jit", true}};
constexpr Field<Nothing> kHyperlight[] = {{"runtime", [](const Node& node, Nothing&) -> Result<void> {
                                             MXC_TRY(node.Enum(kRuntimes));
                                             return {};
                                           }}};
constexpr Field<Nothing> kWindowsSandbox[] = {
    {"idleTimeout", CheckU32}, {"idleTimeoutMs", CheckU32}, {"daemonPipeName", CheckText}};
constexpr Field<Nothing> kTest[] = {{"message", CheckText}};

template <size_t N>
Result<void> Check(const Node& node, const Field<Nothing> (&fields)[N]) {
  Nothing none;
  return ReadObject(node, fields, none);
}

}  // namespace

Result<void> ReadWslc(const Node& node, Wslc& into) { return ReadObject(node, kWslc, into); }
Result<void> CheckProcessContainer(const Node& node) { return Check(node, kProcessContainer); }
Result<void> CheckSeatbelt(const Node& node) { return Check(node, kSeatbelt); }
Result<void> CheckHyperlight(const Node& node) { return Check(node, kHyperlight); }
Result<void> CheckWindowsSandbox(const Node& node) { return Check(node, kWindowsSandbox); }
Result<void> CheckTest(const Node& node) { return Check(node, kTest); }

}  // namespace mxc::policy
