// Hooks that run in the runtime's own process and namespaces.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/container/state.h"
#include "linux_runtime/sandbox/run_hook.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::container {

// Runs them in order, in the bundle's folder and with the state on their stdin; the first that fails ends it. field: "hooks.prestart".
Result<void> RunHooks(const std::vector<oci::Hook>& hooks, const char* field, const State& state, Status status);
// Poststop hooks can't stop anything any more: each that fails gives one warning, and the next one runs.
std::vector<std::string> RunLateHooks(const std::vector<oci::Hook>& hooks, const char* field, const State& state,
                                      Status status);

// Puts the state into a memory file of a plan and seals it.
Result<void> FillStateFile(int fd, const std::string& state);

// What a failed hook means. output: memory file with what it printed, or -1.
Error HookError(const sandbox::PlannedHook& hook, const sandbox::HookFailure& failure, int output);

}  // namespace mxc::container
