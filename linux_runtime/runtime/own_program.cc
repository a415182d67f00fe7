#include "linux_runtime/runtime/own_program.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>

#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::runtime {
namespace {

constexpr char kOwn[] = "/proc/self/exe";
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

bool IsSealed(int own) {
  struct statvfs place {};
  if (::fstatvfs(own, &place) == 0 && (place.f_flag & ST_RDONLY) != 0) return true;
  const int seals = ::fcntl(own, F_GET_SEALS);
  return seals >= 0 && (seals & kSeals) == kSeals;
}

// The mount's options are its own, not those of the file system: writable elsewhere, read-only through this one.
sys::UniqueFd ReadonlyClone(int own) {
  sys::UniqueFd clone(sys::OpenTree(own, "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
  if (!clone.valid()) return clone;
  sys::MountAttr attr{MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, MS_PRIVATE, 0};
  if (sys::MountSetattr(clone.get(), "", AT_EMPTY_PATH, attr) < 0) return sys::UniqueFd();
  return clone;
}

Result<sys::UniqueFd> SealedCopy(int own) {
  constexpr unsigned kExecutable = 0x10u;  // MFD_EXEC, Linux 6.3
  int fd = ::memfd_create("mxc-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING | kExecutable);
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create("mxc-runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  sys::UniqueFd copy(fd);
  if (!copy.valid()) return sys::SystemError("make a memory file for the runtime's own program", errno);
  struct stat found;
  if (int error = sys::Fstat(own, &found); error < 0) return sys::SystemError(std::string("look at ") + kOwn, -error);
  for (off_t at = 0; at < found.st_size;) {
    const ssize_t size = ::sendfile(copy.get(), own, &at, static_cast<size_t>(found.st_size - at));
    if (size <= 0) return sys::SystemError("copy the runtime's own program", size == 0 ? EIO : errno);
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0)
    return sys::SystemError("seal the copy of the runtime's own program", errno);
  // Executed by another opening: one that is open for writing gives ETXTBSY.
  const std::string path = "/proc/self/fd/" + std::to_string(copy.get());
  sys::UniqueFd readable(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!readable.valid()) return sys::SystemError("open " + path, -readable.get());
  return readable;
}

}  // namespace

bool RunsPrograms(Command command) {
  return command == Command::kCreate || command == Command::kRun || command == Command::kExec;
}

Result<void> SealOwnProgram(char** argv) {
  if (sandbox::Without("own-program")) return {};
  sys::UniqueFd own(sys::OpenAt(AT_FDCWD, kOwn, O_RDONLY));
  if (!own.valid()) return sys::SystemError(std::string("open ") + kOwn, -own.get());
  if (IsSealed(own.get())) return {};
  sys::UniqueFd sealed = ReadonlyClone(own.get());
  if (sealed.valid() && sys::ExecveAt(sealed.get(), "", argv, environ, AT_EMPTY_PATH) < 0) {
    // A clone of a mount in a mount namespace that this process has no rights to, or noexec.
    sealed.reset();
  }
  sealed = MXC_TRY(SealedCopy(own.get()));
  const int error = sys::ExecveAt(sealed.get(), "", argv, environ, AT_EMPTY_PATH);
  return sys::SystemError("execute the sealed copy of the runtime's own program", -error);
}

}  // namespace mxc::runtime
