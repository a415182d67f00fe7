/* Taking the sandbox's mounts apart: covers, read-only binds, the root. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/door.h"

static int Readable(const char* path) {
  char byte;
  long fd = Call(SYS_open, (long)path, O_RDONLY, 0, 0, 0, 0);
  return fd >= 0 && Call(SYS_read, fd, (long)&byte, 1, 0, 0, 0) == 1;
}

/* uncover KIND PATH: the cover is unmounted, or moved away, or its parent bound elsewhere without it. */
static void Uncover(int count, char** arguments) {
  if (count < 2) return;
  const char *kind = arguments[0], *path = arguments[1];
  char reached[4096];
  snprintf(reached, sizeof reached, "%s", path);
  long result = -EINVAL;
  const char target[] = "/tmp/target"; /* a file, as the cover is one */
  Call(SYS_open, (long)target, O_CREAT | O_WRONLY, 0600, 0, 0, 0);
  if (strcmp(kind, "umount") == 0) result = Call(SYS_umount2, (long)path, MNT_DETACH, 0, 0, 0, 0);
  if (strcmp(kind, "move") == 0) result = Call(SYS_move_mount, AT_FDCWD, (long)path, AT_FDCWD, (long)target, 0, 0);
  if (strcmp(kind, "bind") == 0) {
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    char* name = strrchr(folder, '/');
    *name++ = 0;
    result = Call(SYS_mount, (long)folder, (long)"/tmp", 0, MS_BIND, 0, 0);
    snprintf(reached, sizeof reached, "/tmp/%s", name);
  }
  if (Readable(reached))
    Open("a denied file is read after %s of its cover", kind);
  else
    Shut("%s of a cover: %s", kind, strerror(result < 0 ? (int)-result : 0));
}

/* remount PATH: a read-only bind becomes writable. */
static void Remount(int count, char** arguments) {
  if (count < 1) return;
  long result = Call(SYS_mount, 0, (long)arguments[0], 0, MS_REMOUNT | MS_BIND, 0, 0);
  if (result < 0) {
    unsigned long attr[4] = {0, 1 /* MOUNT_ATTR_RDONLY */, 0, 0};
    result = Call(SYS_mount_setattr, AT_FDCWD, (long)arguments[0], 0, (long)attr, sizeof attr, 0);
  }
  JudgeSuccess(result, "remount of a read-only folder as writable");
}

/* A second proc shows what masks hide in the first. */
static void NewProc(int count, char** arguments) {
  (void)count, (void)arguments;
  JudgeSuccess(Call(SYS_mount, (long)"proc", (long)"/tmp", (long)"proc", 0, 0, 0),
               "mount of a second proc, without masks");
}

static void NewSysfs(int count, char** arguments) {
  (void)count, (void)arguments;
  JudgeSuccess(Call(SYS_mount, (long)"sysfs", (long)"/tmp", (long)"sysfs", 0, 0, 0), "mount of sysfs");
}

/* The release_agent of cgroup v1 runs as root of the host: a hierarchy is mounted and the file opened, never written. */
static void ReleaseAgent(int count, char** arguments) {
  (void)count, (void)arguments;
  long result = Call(SYS_mount, (long)"cgroup", (long)"/tmp", (long)"cgroup", 0, (long)"memory", 0);
  if (result < 0) {
    Shut("mount of a cgroup hierarchy: %s", strerror((int)-result));
    return;
  }
  JudgeSuccess(Call(SYS_open, (long)"/tmp/release_agent", O_WRONLY, 0, 0, 0, 0), "open of release_agent for writing");
}

/* The classic way out of a chroot. */
static void DoubleChroot(int count, char** arguments) {
  if (count < 1) return;
  mkdir("/tmp/jail", 0755);
  long result = Call(SYS_chroot, (long)"/tmp/jail", 0, 0, 0, 0, 0);
  for (int up = 0; up < 64; ++up) chdir("..");
  Call(SYS_chroot, (long)".", 0, 0, 0, 0, 0);
  if (Readable(arguments[0]))
    Open("a file of the host is read after chroot and ..");
  else
    Shut("chroot: %s; .. stays inside", strerror(result < 0 ? (int)-result : 0));
}

const struct Door kMountDoors[] = {{"uncover", Uncover},
                                   {"remount", Remount},
                                   {"new-proc", NewProc},
                                   {"new-sysfs", NewSysfs},
                                   {"release-agent", ReleaseAgent},
                                   {"double-chroot", DoubleChroot},
                                   {NULL, NULL}};
