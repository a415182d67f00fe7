// What a failed step of a bundle's process means, as an Error that names the field of config.json.
#pragma once

#include <cstdint>
#include <optional>

#include "linux_runtime/sandbox/plan.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

// step: one of the kStep* of status.h. Nothing for steps that are not of a bundle's process. Where podman and containerd
// match the text, it is theirs: "executable file not found in $PATH", "no such file or directory", "permission denied".
std::optional<Error> ProcessStepError(const Plan& plan, uint32_t step, int error);

}  // namespace mxc::sandbox
