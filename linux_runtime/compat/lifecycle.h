// State-aware requests of the MXC contract, as sessions of mxcd: what Microsoft's library has for isolation sessions and WSLC on
// Windows, and refuses on Linux.
//
//   wslc               a session under the request's filesystem and network sections; "wslc:SESSION"
//   isolation_session  a session that may connect to anything, for the caller's user; "iso:SESSION"
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "linux_runtime/cli/remote.h"
#include "linux_runtime/compat/config.h"
#include "shared/policy/state_aware.h"

namespace mxc::compat {

struct PhaseFailure {
  int32_t status;  // MXC_STATUS_*
  Error error;
};

// Failure: the request is malformed, or of a backend that has no sessions here.
std::optional<PhaseFailure> ReadPhase(const Config& config, policy::StateAwareRequest& request);

// provision, start, stop or deprovision. check_only: of any phase, what can be said without doing it. answer: {"result": …} of
// mxc-state-aware-sandbox-api.md, section 7.3.
std::optional<PhaseFailure> RunPhase(const policy::StateAwareRequest& request, const Config& config, bool check_only,
                                     nlohmann::ordered_json& answer);

// exec: end is set unless a failure is returned.
std::optional<PhaseFailure> RunExec(const policy::StateAwareRequest& request, const Config& config,
                                    const cli::RemoteHooks& hooks, cli::RemoteEnd& end);

// What one-shot `mxc run` would take for the sandbox that `provision` asks for.
Config PolicyOfProvision(const policy::StateAwareRequest& request, const Config& config);

}  // namespace mxc::compat
