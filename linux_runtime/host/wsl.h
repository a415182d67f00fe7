// Whether this is WSL 2, where AF_VSOCK leads to Windows and more doors have to be shut than elsewhere.
#pragma once

#include <string_view>

namespace mxc::host {

// Any sign counts: taking another host for WSL shuts doors that aren't there, the other mistake leaves them open.
// release: uname's; environment: the caller has WSL_DISTRO_NAME or WSL_INTEROP. WSL 1 is no Linux kernel and doesn't count.
bool HasSignsOfWsl(std::string_view release, bool environment);

// The same for this process.
bool RunsUnderWsl();

}  // namespace mxc::host
