// What a failed mount step most likely means.
#pragma once

#include "linux_runtime/sandbox/plan.h"

namespace mxc::sandbox {

// One sentence for the user, or nullptr where the error says enough. error: errno.
const char* MountHint(const Step& step, int error);

}  // namespace mxc::sandbox
