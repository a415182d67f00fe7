/* What /proc gives away: the first process, which was forked from the host's mxc; other processes; the kernel's settings. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/escape/door.h"

static long OpenFile(const char* path, int flags) { return Call(SYS_open, (long)path, flags, 0, 0, 0, 0); }

/* CVE-2019-5736: the runtime's binary by way of the process that it became. Asked for reading, then for writing by the
 * descriptor; ETXTBSY says that only the file being in use stands between. */
static void Pid1Exe(int count, char** arguments) {
  (void)count, (void)arguments;
  long fd = OpenFile("/proc/1/exe", O_RDONLY);
  if (fd < 0) {
    Judge(fd, "open /proc/1/exe");
    return;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
  long again = OpenFile(path, O_WRONLY);
  if (again >= 0 || again == -ETXTBSY)
    Open("mxc's own binary can be written through /proc/1/exe");
  else
    Open("mxc's own binary can be read through /proc/1/exe (for writing: %s)", strerror((int)-again));
}

static void Pid1Mem(int count, char** arguments) {
  (void)count, (void)arguments;
  long fd = OpenFile("/proc/1/mem", O_RDWR);
  if (fd < 0)
    Shut("open /proc/1/mem: %s", strerror((int)-fd));
  else
    Open("/proc/1/mem");
}

static void Pid1Environ(int count, char** arguments) {
  (void)count, (void)arguments;
  char text[4096];
  long fd = OpenFile("/proc/1/environ", O_RDONLY);
  long size = fd < 0 ? fd : Call(SYS_read, fd, (long)text, sizeof text - 1, 0, 0, 0);
  if (size < 0)
    Shut("/proc/1/environ: %s", strerror((int)-size));
  else
    Open("/proc/1/environ has %ld bytes of the host's environment", size);
}

/* The word given is one of the host's command line. */
static void Pid1Cmdline(int count, char** arguments) {
  char text[4096] = "";
  long fd = OpenFile("/proc/1/cmdline", O_RDONLY);
  long size = fd < 0 ? fd : Call(SYS_read, fd, (long)text, sizeof text - 1, 0, 0, 0);
  if (size < 0) {
    Shut("/proc/1/cmdline: %s", strerror((int)-size));
    return;
  }
  if (count > 0 && memmem(text, (size_t)size, arguments[0], strlen(arguments[0])) != NULL)
    Open("/proc/1/cmdline shows the host's command line");
  else
    Shut("/proc/1/cmdline shows nothing of the host");
}

static void Pid1Folder(int count, char** arguments) {
  (void)count;
  char path[64];
  snprintf(path, sizeof path, "/proc/1/%s", arguments[0]);
  long fd = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    Shut("open %s: %s", path, strerror((int)-fd));
  else
    Open("%s", path);
}

static void Pid1Ptrace(int count, char** arguments) {
  (void)count, (void)arguments;
  JudgeSuccess(Call(SYS_ptrace, PTRACE_SEIZE, 1, 0, 0, 0, 0), "ptrace of the first process");
}

static void Pid1ReadMemory(int count, char** arguments) {
  (void)count, (void)arguments;
  char byte;
  struct iovec here = {&byte, 1}, there = {(void*)8, 1};
  Judge(Call(SYS_process_vm_readv, 1, (long)&here, 1, (long)&there, 1, 0), "process_vm_readv of the first process");
}

/* Processes in sight: in the sandbox there are the first one and this. */
static void HostProcesses(int count, char** arguments) {
  (void)count, (void)arguments;
  int seen = 0;
  DIR* folder = opendir("/proc");
  struct dirent* entry;
  while (folder != NULL && (entry = readdir(folder)) != NULL) seen += isdigit((unsigned char)entry->d_name[0]) != 0;
  if (seen > 3)
    Open("%d processes of the host are in sight", seen);
  else
    Shut("%d processes in sight, all of the sandbox", seen);
}

static void SignalHost(int count, char** arguments) {
  (void)count;
  JudgeSuccess(Call(SYS_kill, atol(arguments[0]), 0, 0, 0, 0, 0), "signal to a process of the host");
}

/* A file of the kernel's: opened, never written. */
static void OpenForWriting(int count, char** arguments) {
  (void)count;
  long fd = OpenFile(arguments[0], O_WRONLY);
  char what[256];
  snprintf(what, sizeof what, "open %s for writing", arguments[0]);
  JudgeSuccess(fd, what);
}

static void ReadSome(int count, char** arguments) {
  (void)count;
  char byte;
  long fd = OpenFile(arguments[0], O_RDONLY);
  long size = fd < 0 ? fd : Call(SYS_read, fd, (long)&byte, 1, 0, 0, 0);
  if (size > 0)
    Open("%s can be read", arguments[0]);
  else
    Shut("%s: %s", arguments[0], size < 0 ? strerror((int)-size) : "empty");
}

static void ListFolder(int count, char** arguments) {
  (void)count;
  DIR* folder = opendir(arguments[0]);
  if (folder == NULL) {
    Shut("list %s: %s", arguments[0], strerror(errno));
    return;
  }
  int entries = 0;
  for (struct dirent* entry; (entry = readdir(folder)) != NULL;) entries += entry->d_name[0] != '.';
  if (entries > 0)
    Open("%s lists %d names", arguments[0], entries);
  else
    Shut("%s is empty", arguments[0]);
}

static void CgroupPath(int count, char** arguments) {
  (void)count, (void)arguments;
  char text[4096] = "";
  long fd = OpenFile("/proc/self/cgroup", O_RDONLY);
  if (fd >= 0) Call(SYS_read, fd, (long)text, sizeof text - 1, 0, 0, 0);
  if (strstr(text, "mxc-") != NULL)
    Open("/proc/self/cgroup names the host's groups");
  else
    Shut("/proc/self/cgroup starts at the sandbox's own group");
}

const struct Door kProcDoors[] = {{"pid1-exe", Pid1Exe},
                                  {"pid1-mem", Pid1Mem},
                                  {"pid1-environ", Pid1Environ},
                                  {"pid1-cmdline", Pid1Cmdline},
                                  {"pid1-folder", Pid1Folder},
                                  {"pid1-ptrace", Pid1Ptrace},
                                  {"pid1-read-memory", Pid1ReadMemory},
                                  {"host-processes", HostProcesses},
                                  {"signal-host", SignalHost},
                                  {"open-for-writing", OpenForWriting},
                                  {"read", ReadSome},
                                  {"list", ListFolder},
                                  {"cgroup-path", CgroupPath},
                                  {NULL, NULL}};
