// Errors of Windows as Error.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"

namespace mxc::windows {

// "WHAT: the system's sentence (error 32)". error: of GetLastError(). kNotFound when the object or its folder doesn't
// exist, else kSystem.
Error SystemError(const std::string& what, uint32_t error);

}  // namespace mxc::windows
