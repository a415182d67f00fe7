#include "linux_runtime/run/id_range.h"

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::run {

Result<IdRange> TakeIdRange(const std::string& folder) {
  std::string path = folder + "/ids";
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!file.valid()) return sys::SystemError("open " + path, -file.get());
  // Starting at a place of its own, a process seldom meets another's lock.
  const uint32_t start = static_cast<uint32_t>(::getpid()) * 2654435761u >> 16;
  for (uint32_t tried = 0; tried < kIdRanges; ++tried) {
    uint32_t range = (start + tried) % kIdRanges;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = range;
    lock.l_len = 1;
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0) {
      IdRange taken;
      taken.base = kFirstHostId + range * kIdsPerRange;
      taken.lock = std::move(file);
      return taken;
    }
    if (errno != EAGAIN && errno != EACCES) return sys::SystemError("lock a range of ids in " + path, errno);
  }
  return Error(Code::kRefused, "all " + std::to_string(kIdRanges) + " ranges of host ids are in use");
}

}  // namespace mxc::run
