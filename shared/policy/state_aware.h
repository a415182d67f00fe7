// State-aware requests of the MXC contract: a sandbox's life in five steps, each its own request. Five roots, told apart by
// `phase`; since contract 0.9.0-alpha. Source: the published schemas of 0.9.0-alpha, 1.0.0 and 1.1.0-alpha.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/policy/read.h"

namespace mxc::policy {

enum class Phase : uint8_t { kProvision, kStart, kExec, kStop, kDeprovision };
std::string_view PhaseName(Phase phase);

struct StateAwareRequest {
  Phase phase = Phase::kProvision;
  std::string sandbox_id;             // "PREFIX:TOKEN", all but provision
  std::optional<std::string> app_id;  // provision of an isolation session
  // Of provision: containment, filesystem, network, wslc; of exec: process, network, networkProxy.
  Policy policy;
};

// Whether the text, which needs to be no valid request, has a `phase`.
bool HasPhase(std::string_view text, const ReadOptions& options);

// Errors as ReadPolicy's.
Result<StateAwareRequest> ReadStateAware(std::string_view text, const ReadOptions& options);

// Whether such an identifier can exist: the prefix names the back end, the token is its own. Error: kInvalid.
Result<void> CheckSandboxId(const StateAwareRequest& request);

}  // namespace mxc::policy
