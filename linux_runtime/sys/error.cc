#include "linux_runtime/sys/error.h"

#include <cstring>

namespace mxc::sys {

std::string ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

Error SystemError(std::string_view what, int error) {
  const char* text = strerrordesc_np(error);
  std::string message = std::string(what) + ": " + ErrnoName(error);
  if (text != nullptr) message += std::string(" (") + text + ")";
  return Error(Code::kSystem, std::move(message)).WithErrno(error);
}

}  // namespace mxc::sys
