#include "linux_runtime/sandbox/startup.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

namespace mxc::sandbox {

bool FillStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) return false;
  }
  return true;
}

void PopulateHeap() {
  constexpr size_t kUsual = size_t{512} * 1024;
  ::mallopt(M_TOP_PAD, kUsual);
  // More than the heap has, so that it grows, and less than M_MMAP_THRESHOLD.
  void* volatile block = ::malloc(size_t{120} * 1024);
  ::free(block);
  ::madvise(static_cast<char*>(::sbrk(0)) - kUsual, kUsual, MADV_POPULATE_WRITE);
}

ArgvArea AreaOf(int argc, char** argv) {
  if (argc == 0) return {};
  char* end = argv[0];
  for (int index = 0; index < argc && argv[index] == end; ++index) end += strlen(argv[index]) + 1;
  return {argv[0], static_cast<size_t>(end - argv[0])};
}

}  // namespace mxc::sandbox
