// System calls as they are: each returns the kernel's value or -errno, allocates nothing and is async-signal-safe, so
// that the code between clone and exec may use it. The owning, Result-returning forms lie in the other headers here.
// Nothing outside linux_runtime/sys/ calls syscall(2) itself.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif

namespace mxc::sys {

inline long Check(long value) { return value == -1 ? -static_cast<long>(errno) : value; }

// clone_args of clone3(2), Linux 5.7 (88 bytes).
struct CloneArgs {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

// Without CLONE_VM it returns twice, like fork(2), but runs no atfork handler.
inline pid_t Clone3(CloneArgs* args) { return static_cast<pid_t>(Check(::syscall(SYS_clone3, args, sizeof *args))); }
inline pid_t Fork() {
  CloneArgs args{};
  args.exit_signal = SIGCHLD;
  return Clone3(&args);
}
inline int Unshare(int flags) { return static_cast<int>(Check(::unshare(flags))); }
inline int SetNs(int fd, int types) { return static_cast<int>(Check(::setns(fd, types))); }

// ---- files ----
inline int OpenAt(int dir, const char* path, int flags, mode_t mode = 0) {
  return static_cast<int>(Check(::openat(dir, path, flags | O_CLOEXEC, mode)));
}
// resolve: RESOLVE_* of openat2(2), Linux 5.6. O_CLOEXEC is added.
inline int OpenAt2(int dir, const char* path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  return static_cast<int>(Check(::syscall(SYS_openat2, dir, path, &how, sizeof how)));
}
// A path of the container, resolved as if `root` were /: no symbolic link or ".." leaves it, no magic link is followed.
inline int OpenInRoot(int root, const char* path, uint64_t flags, uint64_t mode = 0, uint64_t resolve = 0) {
  // EAGAIN: somewhere on the machine something was renamed while "..", of a link in most cases, was looked up.
  for (int attempt = 0;; ++attempt) {
    int fd = OpenAt2(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
    if (fd != -EAGAIN || attempt == 1000) return fd;
  }
}
inline int ExecveAt(int dir, const char* path, char* const* argv, char* const* env, int flags) {
  return static_cast<int>(Check(::syscall(SYS_execveat, dir, path, argv, env, flags)));
}
// O_NONBLOCK belongs to the open file description: everybody who shares it is concerned.
inline int SetNonBlocking(int fd) {
  const int flags = static_cast<int>(Check(::fcntl(fd, F_GETFL)));
  return flags < 0 ? flags : static_cast<int>(Check(::fcntl(fd, F_SETFL, flags | O_NONBLOCK)));
}
inline int Close(int fd) { return static_cast<int>(Check(::close(fd))); }
inline long Read(int fd, void* data, size_t size) { return Check(::read(fd, data, size)); }
inline long Write(int fd, const void* data, size_t size) { return Check(::write(fd, data, size)); }
inline int Mkdir(int dir, const char* path, mode_t mode) { return static_cast<int>(Check(::mkdirat(dir, path, mode))); }
inline int Symlink(const char* target, int dir, const char* path) {
  return static_cast<int>(Check(::symlinkat(target, dir, path)));
}
// mknod(2) without the umask. Between clone and exec there is one thread, whose umask it is.
inline int Mknod(int dir, const char* path, mode_t mode, dev_t device) {
  const mode_t before = ::umask(0);
  const int error = static_cast<int>(Check(::mknodat(dir, path, mode, device)));
  ::umask(before);
  return error;
}
inline int Chown(int dir, const char* path, uid_t uid, gid_t gid) {
  return static_cast<int>(Check(::fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW)));
}
inline int Unlink(int dir, const char* path) { return static_cast<int>(Check(::unlinkat(dir, path, 0))); }
inline long Readlink(int dir, const char* path, char* target, size_t size) {
  return Check(::readlinkat(dir, path, target, size));
}
inline int Fstatfs(int fd, struct statfs* out) { return static_cast<int>(Check(::fstatfs(fd, out))); }
inline int Chmod(int fd, mode_t mode) { return static_cast<int>(Check(::fchmod(fd, mode))); }
inline int Fstat(int fd, struct stat* out) { return static_cast<int>(Check(::fstat(fd, out))); }
// mask: STATX_*; what the kernel knows of it stands in out->stx_mask. STATX_MNT_ID: Linux 5.8.
inline int Statx(int dir, const char* path, int flags, unsigned mask, struct statx* out) {
  return static_cast<int>(Check(::statx(dir, path, flags, mask, out)));
}
inline int Fchdir(int fd) { return static_cast<int>(Check(::fchdir(fd))); }
inline int Chdir(const char* path) { return static_cast<int>(Check(::chdir(path))); }
inline int CloseRange(unsigned first, unsigned last, unsigned flags) {
  return static_cast<int>(Check(::syscall(SYS_close_range, first, last, flags)));
}
inline constexpr unsigned kCloseRangeCloexec = 1u << 2;
// Closes every descriptor from `from` on but those in `kept`, which it sorts; -1 there is none.
inline int CloseAllBut(unsigned from, std::span<int> kept) {
  std::sort(kept.begin(), kept.end());
  for (int fd : kept) {
    if (fd < 0 || static_cast<unsigned>(fd) < from) continue;
    if (static_cast<unsigned>(fd) > from) {
      if (int error = CloseRange(from, static_cast<unsigned>(fd) - 1, 0); error < 0) return error;
    }
    from = static_cast<unsigned>(fd) + 1;
  }
  return CloseRange(from, ~0u, 0);
}

// ---- mounts: the descriptor API of Linux 5.2 and mount_setattr(2) of 5.12 ----
inline int OpenTree(int dir, const char* path, unsigned flags) {
  return static_cast<int>(Check(::syscall(SYS_open_tree, dir, path, flags | O_CLOEXEC)));
}
inline int MoveMount(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return static_cast<int>(Check(::syscall(SYS_move_mount, from_dir, from, to_dir, to, flags)));
}
struct MountAttr {
  uint64_t set = 0, clear = 0, propagation = 0, userns_fd = 0;
};
inline int MountSetattr(int dir, const char* path, unsigned flags, const MountAttr& attr) {
  return static_cast<int>(Check(::syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof attr)));
}
inline int FsOpen(const char* type) { return static_cast<int>(Check(::syscall(SYS_fsopen, type, 1u /* CLOEXEC */))); }
inline int FsConfig(int fd, unsigned command, const char* key, const void* value, int aux = 0) {
  return static_cast<int>(Check(::syscall(SYS_fsconfig, fd, command, key, value, aux)));
}
inline int FsMount(int fd, unsigned attributes) {
  return static_cast<int>(Check(::syscall(SYS_fsmount, fd, 1u /* CLOEXEC */, attributes)));
}
inline int Mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data) {
  return static_cast<int>(Check(::mount(source, target, type, flags, data)));
}
inline int Umount(const char* target, int flags) { return static_cast<int>(Check(::umount2(target, flags))); }
inline int PivotRoot(const char* new_root, const char* put_old) {
  return static_cast<int>(Check(::syscall(SYS_pivot_root, new_root, put_old)));
}

// ---- processes ----
inline int PidfdOpen(pid_t pid, unsigned flags = 0) {
  return static_cast<int>(Check(::syscall(SYS_pidfd_open, pid, flags)));
}
inline int PidfdSendSignal(int pidfd, int signal) {
  return static_cast<int>(Check(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0)));
}
inline int Prctl(int option, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0, unsigned long d = 0) {
  return static_cast<int>(Check(::prctl(option, a, b, c, d)));
}
// The raw calls: libc's wrappers signal every thread of the process, which a fresh child doesn't have.
inline int SetResUid(uid_t uid) { return static_cast<int>(Check(::syscall(SYS_setresuid, uid, uid, uid))); }
inline int SetResGid(gid_t gid) { return static_cast<int>(Check(::syscall(SYS_setresgid, gid, gid, gid))); }
inline int SetGroups(size_t count, const gid_t* groups) {
  return static_cast<int>(Check(::syscall(SYS_setgroups, count, groups)));
}
inline int SetRlimit(int resource, uint64_t soft, uint64_t hard) {
  struct rlimit64 limit {};
  limit.rlim_cur = soft;
  limit.rlim_max = hard;
  return static_cast<int>(Check(::prlimit64(0, static_cast<__rlimit_resource>(resource), &limit, nullptr)));
}
inline int SetHostname(const char* name, size_t size) { return static_cast<int>(Check(::sethostname(name, size))); }

// capget(2) as it is: header {0x20080522, 0}, data of 6 words.
inline int CapGet(void* header, void* data) { return static_cast<int>(Check(::syscall(SYS_capget, header, data))); }

// capset(2), version 3: 64-bit sets.
struct CapabilitySets {
  uint64_t effective = 0, permitted = 0, inheritable = 0;
};
inline int CapSet(const CapabilitySets& sets) {
  struct {
    uint32_t version;
    int pid;
  } header{0x20080522, 0};
  struct {
    uint32_t effective, permitted, inheritable;
  } data[2] = {
      {static_cast<uint32_t>(sets.effective), static_cast<uint32_t>(sets.permitted),
       static_cast<uint32_t>(sets.inheritable)},
      {static_cast<uint32_t>(sets.effective >> 32), static_cast<uint32_t>(sets.permitted >> 32),
       static_cast<uint32_t>(sets.inheritable >> 32)},
  };
  return static_cast<int>(Check(::syscall(SYS_capset, &header, data)));
}

}  // namespace mxc::sys
