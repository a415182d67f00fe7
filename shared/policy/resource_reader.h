// Resources as profiles and floors write them: the names, units and bounds of x-linux.resources.
#pragma once

#include <cstdint>

#include "shared/base/result.h"
#include "shared/policy/decoder.h"
#include "shared/policy/policy.h"

namespace mxc::policy {

Result<void> ReadResources(const Node& node, Resources& into);

// A time-out as a duration ("30s", 1500); 0: none.
Result<uint32_t> ReadTimeoutMs(const Node& node);

}  // namespace mxc::policy
