/* What a program starts with: descriptors, environment, capabilities, securebits, no_new_privs, ids, namespaces. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/door.h"

/* CVE-2024-21626 and kin: anything open besides the standard streams. */
static void LeakedDescriptors(int count, char** arguments) {
  (void)count, (void)arguments;
  for (int fd = 3; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    char link[64], target[256];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, target, sizeof target - 1);
    target[size < 0 ? 0 : size] = 0;
    Open("descriptor %d is open: %s", fd, target);
    return;
  }
  Shut("only the standard streams are open");
}

/* walk-out FD FILE: openat from a descriptor that is a folder of the host. */
static void WalkOut(int count, char** arguments) {
  if (count < 2) return;
  JudgeSuccess(Call(SYS_openat, atoi(arguments[0]), (long)arguments[1], O_RDONLY | O_DIRECTORY, 0, 0, 0),
               "a folder of the host by a descriptor");
}

/* host-cwd: the working folder lies outside the root. */
static void HostCwd(int count, char** arguments) {
  (void)count, (void)arguments;
  char path[4096];
  if (Call(SYS_getcwd, (long)path, sizeof path, 0, 0, 0, 0) < 0 || path[0] != '/')
    Open("the working folder is outside the sandbox: %s", path);
  else
    Shut("the working folder is %s", path);
}

static void Variable(int count, char** arguments) {
  const char* value = count > 0 ? getenv(arguments[0]) : NULL;
  if (value != NULL)
    Open("%s=%s", arguments[0], value);
  else
    Shut("no variable %s", arguments[0]);
}

static void Capabilities(int count, char** arguments) {
  (void)count, (void)arguments;
  char line[256];
  FILE* status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, "Cap", 3) == 0 && strtoull(line + 7, NULL, 16) != 0) {
      line[strcspn(line, "\n")] = 0;
      Open("%s", line);
      return;
    }
  }
  Shut("all five capability sets are empty");
}

static void Securebits(int count, char** arguments) {
  (void)count, (void)arguments;
  int bits = prctl(PR_GET_SECUREBITS);
  if ((bits & 3) == 3)
    Shut("securebits 0x%x: uid 0 means nothing, locked", bits);
  else
    Open("securebits 0x%x: uid 0 gets capabilities by exec", bits);
}

static void NoNewPrivileges(int count, char** arguments) {
  (void)count, (void)arguments;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
    Shut("no_new_privs is set");
  else
    Open("no_new_privs is not set");
}

static void HostRootMapped(int count, char** arguments) {
  (void)count, (void)arguments;
  unsigned long inside = 0, outside = 0, size = 0;
  FILE* map = fopen("/proc/self/uid_map", "r");
  while (map != NULL && fscanf(map, "%lu %lu %lu", &inside, &outside, &size) == 3) {
    if (outside == 0) {
      Open("an id of the sandbox is root of the host");
      return;
    }
  }
  Shut("no id of the sandbox is root of the host");
}

static void SharedMemory(int count, char** arguments) {
  if (count < 1) return;
  JudgeSuccess(shmget((key_t)strtol(arguments[0], NULL, 0), 0, 0) < 0 ? -errno : 0, "a System V segment of the host");
}

static void ControllingTerminal(int count, char** arguments) {
  (void)count, (void)arguments;
  int fd = open("/dev/tty", O_RDWR);
  JudgeSuccess(fd < 0 ? -errno : 0, "the caller's controlling terminal");
}

const struct Door kStateDoors[] = {{"descriptors-leaked", LeakedDescriptors},
                                   {"walk-out", WalkOut},
                                   {"host-cwd", HostCwd},
                                   {"variable", Variable},
                                   {"capabilities", Capabilities},
                                   {"securebits", Securebits},
                                   {"no-new-privs", NoNewPrivileges},
                                   {"host-root-mapped", HostRootMapped},
                                   {"shared-memory", SharedMemory},
                                   {"controlling-terminal", ControllingTerminal},
                                   {NULL, NULL}};
