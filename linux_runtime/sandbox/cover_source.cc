#include "linux_runtime/sandbox/cover_source.h"

#include <linux/mount.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

void Drop(int* fd) {
  if (*fd >= 0) sys::Close(*fd);
  *fd = -1;
}

int Populate(int base, uint32_t owner) {
  if (int error = sys::Mkdir(base, "d", 0); error < 0) return error;
  if (int error = static_cast<int>(sys::Check(::mknodat(base, "f", S_IFREG, 0))); error < 0) return error;
  if (owner == 0) return 0;  // the caller's own
  if (int error = static_cast<int>(sys::Check(::fchownat(base, "d", owner, owner, 0))); error < 0) return error;
  return static_cast<int>(sys::Check(::fchownat(base, "f", owner, owner, 0)));
}

// A detached copy of the mount below `dir`.
int Copy(int dir, const char* name) {
  return sys::OpenTree(dir, name, OPEN_TREE_CLONE | (name[0] == '\0' ? AT_EMPTY_PATH : 0));
}

int CopyBoth(CoverSource* source) {
  int directory = Copy(source->base, "d");
  if (directory < 0) return directory;
  int file = Copy(source->base, "f");
  if (file < 0) {
    sys::Close(directory);
    return file;
  }
  source->directory = directory;
  source->file = file;
  return 0;
}

int WriteOwn(const char* path, const char* text, size_t size) {
  int fd = sys::OpenAt(AT_FDCWD, path, O_WRONLY);
  if (fd < 0) return fd;
  long written = sys::Write(fd, text, size);
  sys::Close(fd);
  return written < 0 ? static_cast<int>(written) : 0;
}

char* Decimal(char* out, uint32_t number) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count > 0) *out++ = digits[--count];
  return out;
}

// Maps `id` of the parent's namespace as another number, so that `id` itself, which is what an idmapped mount looks up
// for files of that owner, is nothing. (An empty map would say the same, but Linux 6.14 refuses to copy one.)
int WriteShiftedMap(const char* path, uint32_t id) {
  char line[32];
  char* end = Decimal(line, id + 1);
  *end++ = ' ';
  end = Decimal(end, id);
  *end++ = ' ';
  *end++ = '1';
  return WriteOwn(path, line, static_cast<size_t>(end - line));
}

struct UnmappedRequest {
  uint32_t uid, gid;
  volatile int result;
};

// Runs in a process that shares memory and descriptors with its parent, which waits (vfork): the descriptor it opens
// is the parent's too.
int OpenOwnUnmapped(void* argument) {
  auto* request = static_cast<UnmappedRequest*>(argument);
  int fd = WriteOwn("/proc/self/setgroups", "deny", 4);
  if (fd == 0) fd = WriteShiftedMap("/proc/self/uid_map", request->uid);
  if (fd == 0) fd = WriteShiftedMap("/proc/self/gid_map", request->gid);
  if (fd == 0) fd = sys::OpenAt(AT_FDCWD, "/proc/self/ns/user", O_RDONLY);
  request->result = fd;
  return 0;
}

}  // namespace

int MakeUnmappedNamespace() {
  alignas(16) char stack[16384];
  UnmappedRequest request{::geteuid(), ::getegid(), -ECHILD};
  int pid = static_cast<int>(sys::Check(
      ::clone(OpenOwnUnmapped, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWUSER, &request)));
  if (pid < 0) return pid;
  int status;
  while (::waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
  }
  return request.result;
}

int MakeCoverBase(CoverSource* source, uint32_t owner, int unmapped) {
  int context = sys::FsOpen("tmpfs");
  if (context < 0) return context;
  int error = sys::FsConfig(context, FSCONFIG_SET_STRING, "size", "4k");
  if (error >= 0) error = sys::FsConfig(context, FSCONFIG_SET_STRING, "nr_inodes", "8");
  if (error >= 0) error = sys::FsConfig(context, FSCONFIG_SET_STRING, "mode", "755");
  if (error >= 0) error = sys::FsConfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr);
  int base = error < 0 ? error : sys::FsMount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  sys::Close(context);
  if (base < 0) return base;
  error = Populate(base, owner);
  struct stat stat {};
  if (error >= 0) error = sys::Fstat(base, &stat);
  if (error >= 0) {
    sys::MountAttr attr;
    attr.set = (source->weak ? MOUNT_ATTR_RDONLY : 0) | (unmapped >= 0 ? MOUNT_ATTR_IDMAP : 0);
    attr.userns_fd = unmapped >= 0 ? static_cast<uint64_t>(unmapped) : 0;
    error = sys::MountSetattr(base, "", AT_EMPTY_PATH, attr);
  }
  if (error < 0) {
    sys::Close(base);
    return error;
  }
  source->base = base;
  source->device = stat.st_dev;
  return 0;
}

int SplitCovers(CoverSource* source, const char* stash) {
  if (source->directory >= 0) return 0;
  int error = CopyBoth(source);
  if (error != -EINVAL || stash == nullptr) return error;
  error = sys::MoveMount(source->base, "", AT_FDCWD, stash, MOVE_MOUNT_F_EMPTY_PATH);
  if (error < 0) return error;
  return CopyBoth(source);
}

int MakeCoversInside(CoverSource* source, const char* stash) {
  int unmapped = MakeUnmappedNamespace();
  int error = unmapped < 0 ? unmapped : MakeCoverBase(source, 0, unmapped);
  if (unmapped >= 0) sys::Close(unmapped);
  if (error == -EINVAL) {  // tmpfs can't be idmapped before Linux 6.3; any other failure is one
    source->weak = true;
    error = MakeCoverBase(source, 0, -1);
  }
  return error < 0 ? error : SplitCovers(source, stash);
}

int AttachCover(CoverSource* source, int target, bool directory) {
  int* spare = directory ? &source->directory : &source->file;
  if (*spare < 0) {
    *spare = Copy(source->base, directory ? "d" : "f");
    if (*spare < 0) return *spare;
  }
  int error = sys::MoveMount(*spare, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  if (error < 0) return error;
  // The descriptor now means the attached mount, which every kernel copies.
  int next = Copy(*spare, "");
  sys::Close(*spare);
  *spare = next < 0 ? -1 : next;
  return 0;
}

void CloseCovers(CoverSource* source) {
  Drop(&source->base);
  Drop(&source->directory);
  Drop(&source->file);
}

}  // namespace mxc::sandbox
