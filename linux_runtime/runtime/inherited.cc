#include "linux_runtime/runtime/inherited.h"

#include <fcntl.h>
#include <stdlib.h>

#include <string>

namespace mxc::runtime {
namespace {

constexpr unsigned kFirst = 3;

bool IsOpen(unsigned fd) { return ::fcntl(static_cast<int>(fd), F_GETFD) >= 0; }

}  // namespace

Result<void> TakeInherited(Options& options) {
  for (unsigned fd = kFirst; fd < kFirst + options.preserve_fds; ++fd) {
    if (IsOpen(fd)) continue;
    return Error(Code::kUsage, "--preserve-fds " + std::to_string(options.preserve_fds) + ": descriptor " +
                                   std::to_string(fd) + " is not open");
  }
  const char* listen = ::getenv("LISTEN_FDS");
  const int wanted = listen == nullptr ? 0 : ::atoi(listen);
  const unsigned first = kFirst + options.preserve_fds;
  while (static_cast<int>(options.listen_fds) < wanted && IsOpen(first + options.listen_fds)) ++options.listen_fds;
  return {};
}

}  // namespace mxc::runtime
