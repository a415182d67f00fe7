/* Denied, read-only and ungranted files: every call that reads, changes, moves or replaces one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/door.h"

struct Change {
  const char* name;
  long (*apply)(const char* path);
};

static long OpenWrite(const char* path) { return Call(SYS_open, (long)path, O_WRONLY, 0, 0, 0, 0); }
static long OpenTruncate(const char* path) { return Call(SYS_open, (long)path, O_WRONLY | O_TRUNC, 0, 0, 0, 0); }
static long Truncate(const char* path) { return Call(SYS_truncate, (long)path, 0, 0, 0, 0, 0); }
static long Unlink(const char* path) { return Call(SYS_unlink, (long)path, 0, 0, 0, 0, 0); }
static long Chmod(const char* path) { return Call(SYS_chmod, (long)path, 0644, 0, 0, 0, 0); }
static long Utimes(const char* path) { return Call(SYS_utimensat, AT_FDCWD, (long)path, 0, 0, 0, 0); }
static long Setxattr(const char* path) { return Call(SYS_setxattr, (long)path, (long)"user.mxc", (long)"x", 1, 0, 0); }
static long Rename(const char* path) {
  char to[4096];
  snprintf(to, sizeof to, "%s.moved", path);
  return Call(SYS_rename, (long)path, (long)to, 0, 0, 0, 0);
}
/* Another file takes its name. */
static long RenameOver(const char* path) {
  char from[4096];
  snprintf(from, sizeof from, "%s.new", path);
  long fd = Call(SYS_open, (long)from, O_WRONLY | O_CREAT, 0644, 0, 0, 0);
  if (fd < 0) return fd;
  long result = Call(SYS_rename, (long)from, (long)path, 0, 0, 0, 0);
  if (result < 0) Call(SYS_unlink, (long)from, 0, 0, 0, 0, 0);
  return result;
}
static long Exchange(const char* path) {
  char with[4096];
  snprintf(with, sizeof with, "%s.other", path);
  long fd = Call(SYS_open, (long)with, O_WRONLY | O_CREAT, 0644, 0, 0, 0);
  if (fd < 0) return fd;
  long result = Call(SYS_renameat2, AT_FDCWD, (long)path, AT_FDCWD, (long)with, 2, 0);
  if (result < 0) Call(SYS_unlink, (long)with, 0, 0, 0, 0, 0);
  return result;
}
static long Link(const char* path) {
  char to[4096];
  snprintf(to, sizeof to, "%s.link", path);
  return Call(SYS_link, (long)path, (long)to, 0, 0, 0, 0);
}
/* The folder around it is moved, so that the path leads elsewhere. */
static long RenameParent(const char* path) {
  char from[2048], to[4096];
  snprintf(from, sizeof from, "%s", path);
  *strrchr(from, '/') = 0;
  snprintf(to, sizeof to, "%s.moved", from);
  return Call(SYS_rename, (long)from, (long)to, 0, 0, 0, 0);
}
static long Mmap(const char* path) {
  long fd = Call(SYS_open, (long)path, O_RDWR, 0, 0, 0, 0);
  return fd < 0 ? fd : Call(SYS_mmap, 0, 1, 3, 1, fd, 0);
}

static const struct Change kChanges[] = {{"write", OpenWrite},
                                         {"open-truncate", OpenTruncate},
                                         {"truncate", Truncate},
                                         {"unlink", Unlink},
                                         {"chmod", Chmod},
                                         {"utimes", Utimes},
                                         {"setxattr", Setxattr},
                                         {"rename", Rename},
                                         {"rename-over", RenameOver},
                                         {"exchange", Exchange},
                                         {"link", Link},
                                         {"rename-parent", RenameParent},
                                         {"mmap", Mmap}};

/* change KIND PATH */
static void ChangeFile(int count, char** arguments) {
  for (unsigned at = 0; count > 1 && at < sizeof kChanges / sizeof *kChanges; ++at) {
    if (strcmp(kChanges[at].name, arguments[0]) == 0) JudgeSuccess(kChanges[at].apply(arguments[1]), arguments[0]);
  }
}

/* read-through-link PATH: a hard link or a renamed parent gives a denied file a name without a cover. */
static void ReadThroughLink(int count, char** arguments) {
  if (count < 1) return;
  char other[4096], byte;
  snprintf(other, sizeof other, "%s.link", arguments[0]);
  long result = Call(SYS_link, (long)arguments[0], (long)other, 0, 0, 0, 0);
  long fd = Call(SYS_open, (long)other, O_RDONLY, 0, 0, 0, 0);
  if (fd >= 0 && Call(SYS_read, fd, (long)&byte, 1, 0, 0, 0) == 1)
    Open("a denied file is read through a new hard link");
  else
    Shut("link: %s, open: %s", strerror(result < 0 ? (int)-result : 0), strerror(fd < 0 ? (int)-fd : 0));
}

/* read-moved-parent PATH: the folder around a denied file is renamed, then the file opened there. */
static void ReadMovedParent(int count, char** arguments) {
  if (count < 1) return;
  long moved = RenameParent(arguments[0]);
  char path[8192], byte, folder[4096];
  snprintf(folder, sizeof folder, "%s", arguments[0]);
  char* name = strrchr(folder, '/');
  *name++ = 0;
  snprintf(path, sizeof path, "%s%s/%s", folder, moved == 0 ? ".moved" : "", name);
  long fd = Call(SYS_open, (long)path, O_RDONLY, 0, 0, 0, 0);
  if (fd >= 0 && Call(SYS_read, fd, (long)&byte, 1, 0, 0, 0) == 1)
    Open("a denied file is read after its folder was renamed");
  else
    Shut("rename: %s, open: %s", strerror(moved < 0 ? (int)-moved : 0), strerror(fd < 0 ? (int)-fd : 0));
}

/* read-handle PATH: by file handle, which knows no mounts. */
static void ReadByHandle(int count, char** arguments) {
  if (count < 1) return;
  struct {
    unsigned size;
    int type;
    unsigned char data[128];
  } handle = {sizeof handle.data, 0, {0}};
  int mount;
  long result = Call(SYS_name_to_handle_at, AT_FDCWD, (long)arguments[0], (long)&handle, (long)&mount, 0, 0);
  if (result < 0) {
    JudgeSuccess(result, "name_to_handle_at");
    return;
  }
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", arguments[0]);
  *strrchr(folder, '/') = 0;
  long at = Call(SYS_open, (long)folder, O_RDONLY | O_DIRECTORY, 0, 0, 0, 0);
  JudgeSuccess(Call(SYS_open_by_handle_at, at, (long)&handle, O_RDONLY, 0, 0, 0), "open_by_handle_at");
}

/* leave-setuid KIND PATH: leaves a file with the set-uid bit in a granted tree, for somebody outside to run. */
static void LeaveSetuid(int count, char** arguments) {
  if (count < 2) return;
  const char *kind = arguments[0], *path = arguments[1];
  long result = -EINVAL;
  if (strcmp(kind, "open") == 0) result = Call(SYS_open, (long)path, O_CREAT | O_WRONLY, 04755, 0, 0, 0);
  if (strcmp(kind, "openat") == 0) result = Call(SYS_openat, AT_FDCWD, (long)path, O_CREAT | O_WRONLY, 04755, 0, 0);
  if (strcmp(kind, "mknod") == 0) result = Call(SYS_mknod, (long)path, S_IFREG | 04755, 0, 0, 0, 0);
  if (strcmp(kind, "openat2") == 0) {
    unsigned long how[3] = {O_CREAT | O_WRONLY, 04755, 0};
    result = Call(SYS_openat2, AT_FDCWD, (long)path, (long)how, sizeof how, 0, 0);
  }
  if (strcmp(kind, "tmpfile") == 0) {
    char folder[4096], link[64];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    result = Call(SYS_openat, AT_FDCWD, (long)folder, O_TMPFILE | O_WRONLY, 04755, 0, 0);
    if (result >= 0) {
      snprintf(link, sizeof link, "/proc/self/fd/%ld", result);
      result = Call(SYS_linkat, AT_FDCWD, (long)link, AT_FDCWD, (long)path, AT_SYMLINK_FOLLOW, 0);
    }
  }
  if (strncmp(kind, "chmod", 5) == 0 || strncmp(kind, "fchmod", 6) == 0) {
    long fd = Call(SYS_open, (long)path, O_CREAT | O_WRONLY, 0755, 0, 0, 0);
    if (strcmp(kind, "chmod") == 0) result = Call(SYS_chmod, (long)path, 04755, 0, 0, 0, 0);
    if (strcmp(kind, "chmod-high") == 0) result = Call(SYS_chmod, (long)path, 04755 | 0x100000000L, 0, 0, 0, 0);
    if (strcmp(kind, "fchmod") == 0) result = Call(SYS_fchmod, fd, 04755, 0, 0, 0, 0);
    if (strcmp(kind, "fchmodat") == 0) result = Call(SYS_fchmodat, AT_FDCWD, (long)path, 04755, 0, 0, 0);
    if (strcmp(kind, "fchmodat2") == 0) result = Call(452, AT_FDCWD, (long)path, 04755, 0, 0, 0);
  }
  JudgeSuccess(result, kind);
}

/* make-device PATH: the number of /dev/mem. */
static void MakeDevice(int count, char** arguments) {
  if (count < 1) return;
  JudgeSuccess(Call(SYS_mknod, (long)arguments[0], S_IFCHR | 0600, (long)makedev(1, 1), 0, 0, 0), "mknod of a device");
}

/* replant PATH: the folder around a denied or protected name is moved out of the way and made anew, with a file of ours
 * under that name; `plant PATH` makes what is missing on the way to it. The host looks at what is there afterwards. */
static void Plant(int count, char** arguments) {
  if (count < 1) return;
  char folder[2048];
  snprintf(folder, sizeof folder, "%s", arguments[0]);
  for (char* slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    Call(SYS_mkdir, (long)folder, 0755, 0, 0, 0, 0);
    *slash = '/';
  }
  long fd = Call(SYS_open, (long)arguments[0], O_CREAT | O_WRONLY | O_TRUNC, 0755, 0, 0, 0);
  if (fd >= 0) Call(SYS_write, fd, (long)"planted\n", 8, 0, 0, 0);
  JudgeSuccess(fd, "a file of ours under a guarded name");
}

static void Replant(int count, char** arguments) {
  if (count < 1) return;
  long moved = RenameParent(arguments[0]);
  if (moved < 0)
    JudgeSuccess(moved, "move the folder around a guarded name");
  else
    Plant(count, arguments);
}

/* run-copy PATH: this program, copied there, runs. */
static void RunCopy(int count, char** arguments) {
  if (count < 1) return;
  char block[65536];
  int from = open("/proc/self/exe", O_RDONLY), to = open(arguments[0], O_CREAT | O_WRONLY | O_TRUNC, 0755);
  if (from < 0 || to < 0) {
    Shut("copy a program to %s: %s", arguments[0], strerror(errno));
    return;
  }
  for (ssize_t size; (size = read(from, block, sizeof block)) > 0;) {
    if (write(to, block, (size_t)size) != size) return;
  }
  close(to);
  pid_t child = fork();
  if (child == 0) {
    char* none[] = {arguments[0], NULL};
    freopen("/dev/null", "w", stdout);
    execve(arguments[0], none, none);
    _exit(errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  JudgeSuccess(-WEXITSTATUS(status), "run a program written there");
}

/* become PATH: a program with the set-uid bit; it prints by whoami. */
static void Become(int count, char** arguments) {
  if (count < 1) return;
  char* run[] = {arguments[0], (char*)"whoami", NULL};
  execv(arguments[0], run);
  Shut("run %s: %s", arguments[0], strerror(errno));
}

static void WhoAmI(int count, char** arguments) {
  (void)count, (void)arguments;
  if (geteuid() != getuid())
    Open("a set-uid program runs as user %u", geteuid());
  else
    Shut("a set-uid program changes nothing");
}

const struct Door kFileDoors[] = {{"change", ChangeFile},
                                  {"read-through-link", ReadThroughLink},
                                  {"read-moved-parent", ReadMovedParent},
                                  {"read-handle", ReadByHandle},
                                  {"leave-setuid", LeaveSetuid},
                                  {"plant", Plant},
                                  {"replant", Replant},
                                  {"make-device", MakeDevice},
                                  {"run-copy", RunCopy},
                                  {"become", Become},
                                  {"whoami", WhoAmI},
                                  {NULL, NULL}};
