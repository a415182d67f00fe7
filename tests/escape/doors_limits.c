/* Exhaustion, bounded so that a missing limit harms nothing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/door.h"

/* processes N: N of them at once. */
static void Processes(int count, char** arguments) {
  int wanted = count > 0 ? atoi(arguments[0]) : 0, made = 0, gate[2];
  if (pipe(gate) != 0) return;
  for (; made < wanted; ++made) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      char byte;
      close(gate[1]);
      (void)!read(gate[0], &byte, 1); /* until the first one lets go */
      _exit(0);
    }
  }
  int error = errno;
  close(gate[1]);
  while (wait(NULL) > 0) {
  }
  if (made == wanted)
    Open("%d processes at once", made);
  else
    Shut("fork after %d processes: %s", made, strerror(error));
}

/* memory MIB: touched by a child. */
static void Memory(int count, char** arguments) {
  size_t size = (size_t)(count > 0 ? atol(arguments[0]) : 0) << 20;
  pid_t child = fork();
  if (child == 0) {
    char* block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) _exit(1);
    for (size_t at = 0; at < size; at += 4096) block[at] = 1;
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    Open("%s MiB of memory", arguments[0]);
  else
    Shut("memory: %s", WIFSIGNALED(status) ? "the process is killed" : "no more is given");
}

/* fill FOLDER MIB */
static void Fill(int count, char** arguments) {
  if (count < 2) return;
  static char block[1 << 20];
  char path[4096];
  snprintf(path, sizeof path, "%s/fill", arguments[0]);
  int fd = open(path, O_CREAT | O_WRONLY, 0600), error = errno;
  long wanted = atol(arguments[1]), made = 0;
  for (; fd >= 0 && made < wanted; ++made) {
    if (write(fd, block, sizeof block) != (ssize_t)sizeof block) {
      error = errno;
      break;
    }
  }
  unlink(path);
  if (made == wanted)
    Open("%ld MiB in %s", made, arguments[0]);
  else
    Shut("%s after %ld MiB: %s", arguments[0], made, strerror(error));
}

/* inodes FOLDER N */
static void Inodes(int count, char** arguments) {
  if (count < 2) return;
  char path[4096];
  long wanted = atol(arguments[1]), made = 0;
  for (; made < wanted; ++made) {
    snprintf(path, sizeof path, "%s/i%ld", arguments[0], made);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    if (fd < 0) break;
    close(fd);
  }
  if (made == wanted)
    Open("%ld files in %s", made, arguments[0]);
  else
    Shut("%s after %ld files: %s", arguments[0], made, strerror(errno));
}

/* descriptors N */
static void Descriptors(int count, char** arguments) {
  int wanted = count > 0 ? atoi(arguments[0]) : 0, made = 0;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  while (made < wanted && dup(0) >= 0) ++made;
  if (made == wanted)
    Open("%d descriptors", made);
  else
    Shut("%d descriptors: %s", made, strerror(errno));
}

static void CoreDump(int count, char** arguments) {
  (void)count, (void)arguments;
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_max != 0)
    Open("a core dump may have %llu bytes", (unsigned long long)limit.rlim_max);
  else
    Shut("no core dumps");
}

const struct Door kLimitDoors[] = {
    {"processes", Processes},     {"memory", Memory},      {"fill", Fill}, {"inodes", Inodes},
    {"descriptors", Descriptors}, {"core-dump", CoreDump}, {NULL, NULL}};
