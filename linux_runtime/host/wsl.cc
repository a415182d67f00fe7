#include "linux_runtime/host/wsl.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "linux_runtime/host/texts.h"

namespace mxc::host {

bool HasSignsOfWsl(std::string_view release, bool environment) {
  if (IsWsl1Kernel(release)) return false;
  return IsMicrosoftKernel(release) || environment || ::access("/run/WSL", F_OK) == 0 ||
         ::access("/dev/dxg", F_OK) == 0;
}

bool RunsUnderWsl() {
  utsname names{};
  const char* release = ::uname(&names) == 0 ? names.release : "";
  return HasSignsOfWsl(release, ::getenv("WSL_DISTRO_NAME") != nullptr || ::getenv("WSL_INTEROP") != nullptr);
}

}  // namespace mxc::host
