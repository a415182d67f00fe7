// Sections of a request that contract versions share. Each reader takes a closed object and fills its part of the model;
// `into` keeps its defaults where the document says nothing.
#pragma once

#include <optional>
#include <string>

#include "shared/base/result.h"
#include "shared/policy/decoder.h"
#include "shared/policy/policy.h"

namespace mxc::policy {

// command_optional: a missing commandLine leaves command_line empty; an empty one is an error all the same.
Result<void> ReadProcess(const Node& node, bool command_optional, Process& into);
Result<void> ReadFilesystem(const Node& node, Filesystem& into);
Result<void> ReadUi(const Node& node, Ui& into);
Result<void> ReadLifecycle(const Node& node, Lifecycle& into);
Result<void> ReadLxc(const Node& node, Lxc& into);
Result<void> ReadFallback(const Node& node, bool& allow_dacl_mutation);
Result<void> ReadTelemetry(const Node& node, bool& enabled);

// contract_network.cc: the directional network section of 0.8 and later, and runtimeConfig.
Result<void> ReadNetwork(const Node& node, Network& into);
Result<void> ReadRuntimeConfig(const Node& node, std::optional<std::string>& network_proxy);

// contract_backends.cc: sections of single backends. Those of backends that no Linux has are only checked: their containment
// is refused.
Result<void> ReadWslc(const Node& node, Wslc& into);
Result<void> ReadPortMappings(const Node& node, Wslc& into);
Result<void> CheckProcessContainer(const Node& node);
Result<void> CheckSeatbelt(const Node& node);
Result<void> CheckHyperlight(const Node& node);
Result<void> CheckWindowsSandbox(const Node& node);
Result<void> CheckTest(const Node& node);

// contract_x_linux.cc: our extension. Names in it that are known but not built yet are kUnsupported.
Result<void> ReadXLinux(const Node& node, XLinux& into);

}  // namespace mxc::policy
