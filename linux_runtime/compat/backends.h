// What this host can run, in the words of Microsoft's SDK (docs/compatibility.md).
#pragma once

#include <nlohmann/json.hpp>

#include "shared/translate/host_facts.h"

namespace mxc::compat {

// [{"backend", "capabilities"?, "warnings"?}]; empty where no sandbox can be made.
nlohmann::ordered_json AvailableBackends(const translate::HostFacts& facts);

// {"isSupported", "reason", "availableMethods", "bubblewrapNetwork"?}
nlohmann::ordered_json PlatformSupport(const translate::HostFacts& facts);

}  // namespace mxc::compat
