#include "linux_runtime/sandbox/startup.h"

#include <fcntl.h>
#include <string.h>

namespace mxc::sandbox {

bool FillStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) return false;
  }
  return true;
}

ArgvArea AreaOf(int argc, char** argv) {
  if (argc == 0) return {};
  char* end = argv[0];
  for (int index = 0; index < argc && argv[index] == end; ++index) end += strlen(argv[index]) + 1;
  return {argv[0], static_cast<size_t>(end - argv[0])};
}

}  // namespace mxc::sandbox
