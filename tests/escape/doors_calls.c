/* System calls that lead out of a sandbox or into kernel code that it should not reach. Each row is a call that succeeds or
 * fails past the gate where nothing refuses it, and does no harm then. */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/door.h"

struct Row {
  const char* name;
  long number;
  long arguments[6];
};

#define HIGH 0x100000000L
static const char kRoot[] = "/";
static char zeroes[512];

static const struct Row kRows[] = {
    {"ptrace", SYS_ptrace, {0}}, /* PTRACE_TRACEME */
    {"kcmp", SYS_kcmp, {0, 0, 99}},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1, 0, 0}},
    {"setns", SYS_setns, {-1, 0}},
    {"chroot", SYS_chroot, {(long)kRoot}},
    {"pivot_root", SYS_pivot_root, {(long)kRoot, (long)kRoot}},
    {"mount", SYS_mount, {(long)"none", (long)"/tmp", (long)"tmpfs", 0, 0}},
    {"umount2", SYS_umount2, {(long)"/dev/shm", 2}},
    {"open_tree", SYS_open_tree, {AT_FDCWD, (long)kRoot, 1}},
    {"move_mount", SYS_move_mount, {AT_FDCWD, (long)kRoot, AT_FDCWD, (long)kRoot, 0}},
    {"fsopen", SYS_fsopen, {(long)"tmpfs", 0}},
    {"fspick", SYS_fspick, {AT_FDCWD, (long)kRoot, 0}},
    {"mount_setattr", SYS_mount_setattr, {AT_FDCWD, (long)kRoot, 0, (long)zeroes, 32}},
    {"bpf", SYS_bpf, {0, (long)zeroes, 72}},
    {"userfaultfd", SYS_userfaultfd, {1}}, /* UFFD_USER_MODE_ONLY */
    {"keyctl", SYS_keyctl, {0, -3, 1}},    /* the session keyring's id */
    {"add_key", SYS_add_key, {(long)"user", (long)"mxc-escape", (long)"x", 1, -1}},
    {"request_key", SYS_request_key, {(long)"user", (long)"mxc-escape-none", 0, 0}},
    {"io_uring_setup", 425, {1, 0}},
    {"io_uring_enter", 426, {-1, 0, 0, 0, 0, 0}},
    {"unshare-user", SYS_unshare, {CLONE_NEWUSER}},
    {"unshare-user-high", SYS_unshare, {CLONE_NEWUSER | HIGH}},
    {"unshare-mount", SYS_unshare, {CLONE_NEWNS}},
    {"unshare-cgroup", SYS_unshare, {CLONE_NEWCGROUP}},
    {"unshare-time", SYS_unshare, {0x80}},
    {"personality", SYS_personality, {0x0040000}}, /* ADDR_NO_RANDOMIZE */
    {"personality-high", SYS_personality, {0x0040000 | HIGH}},
    {"open_by_handle_at", SYS_open_by_handle_at, {AT_FDCWD, (long)zeroes, 0}},
    {"init_module", SYS_init_module, {(long)zeroes, 0, (long)zeroes}},
    {"finit_module", SYS_finit_module, {-1, (long)zeroes, 0}},
    {"delete_module", SYS_delete_module, {(long)"no-such-module", 0x800}},
    {"kexec_load", SYS_kexec_load, {0, 99, 0, 0}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}}, /* wrong magic */
    {"swapon", SYS_swapon, {(long)"/no-such-file", 0}},
    {"quotactl", SYS_quotactl, {0x80000100, 0, 0, 0}},
    {"acct", SYS_acct, {1}},
    {"syslog", SYS_syslog, {10, 0, 0}},
    {"fanotify_init", SYS_fanotify_init, {0x200, 0}}, /* FAN_REPORT_FID, which needs no privilege */
    {"settimeofday", SYS_settimeofday, {0, 1}},
    {"clock_settime", SYS_clock_settime, {99, (long)zeroes}},
    {"adjtimex", SYS_adjtimex, {(long)zeroes}},
    {"iopl", SYS_iopl, {0}},
    {"ioperm", SYS_ioperm, {0, 1, 0}},
    {"modify_ldt", SYS_modify_ldt, {0, (long)zeroes, 16}},
    {"sethostname", SYS_sethostname, {(long)"escaped", 7}},
    {"mbind-move", SYS_migrate_pages, {0, 0, 0, 0}},
    {"tiocsti-number", SYS_ioctl, {0, 0x5412, 0}},
    {"tioclinux-number", SYS_ioctl, {0, 0x541c, 0}},
    {"tiocsetd-number", SYS_ioctl, {0, 0x5423, 0}},
    {"tiocsti-high", SYS_ioctl, {0, 0x5412 | HIGH, 0}},
};

static void OneCall(int count, char** arguments) {
  for (unsigned row = 0; count > 0 && row < sizeof kRows / sizeof *kRows; ++row) {
    if (strcmp(kRows[row].name, arguments[0]) != 0) continue;
    const long* a = kRows[row].arguments;
    /* A process may compare itself with itself; the kind of comparison doesn't exist. */
    long self = getpid();
    int compares = kRows[row].number == SYS_kcmp;
    long result = Call(kRows[row].number, compares ? self : a[0], compares ? self : a[1], a[2], a[3], a[4], a[5]);
    /* Looked for and not found is an answer from behind the gate. */
    if (result == -ENOENT || result == -ESRCH || result == -ENOKEY || result == -ELOOP)
      Open("%s: %s", kRows[row].name, strerror((int)-result));
    else
      Judge(result, kRows[row].name);
    return;
  }
  fprintf(stderr, "no such call\n");
}

static void ListCalls(int count, char** arguments) {
  (void)count, (void)arguments;
  for (unsigned row = 0; row < sizeof kRows / sizeof *kRows; ++row) puts(kRows[row].name);
}

static void PerfEvent(int count, char** arguments) {
  (void)count, (void)arguments;
  struct perf_event_attr wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.type = PERF_TYPE_SOFTWARE;
  wanted.config = PERF_COUNT_SW_TASK_CLOCK;
  wanted.size = sizeof wanted;
  wanted.exclude_kernel = wanted.exclude_hv = 1;
  Judge(Call(SYS_perf_event_open, (long)&wanted, 0, -1, -1, 0, 0), "perf_event_open");
}

static void Reap(long pid, const char* what) {
  if (pid == 0) _exit(0);
  if (pid < 0) {
    Judge(pid, what);
    return;
  }
  waitpid((pid_t)pid, NULL, 0);
  Open("%s", what);
}

static void CloneUser(int count, char** arguments) {
  (void)count, (void)arguments;
  Reap(Call(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0, 0), "clone(CLONE_NEWUSER)");
}

/* The flags lie behind a pointer, where no filter sees them. */
static void Clone3User(int count, char** arguments) {
  (void)count, (void)arguments;
  unsigned long request[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  Reap(Call(SYS_clone3, (long)request, 64, 0, 0, 0, 0), "clone3(CLONE_NEWUSER)");
}

/* Runs a 32-bit call in a child, since the answer may be the end of the process. */
static void Int80(int number, int first, int second, const char* what) {
  pid_t child = fork();
  if (child == 0) {
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    _exit(result >= 0 ? 0 : -result);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    Shut("%s: the process is killed (signal %d)", what, WTERMSIG(status));
  else
    Judge(-WEXITSTATUS(status), what);
}

static void I386Vsock(int count, char** arguments) {
  (void)count, (void)arguments;
  Int80(359, 40, 1 /* SOCK_STREAM */, "i386 socket(AF_VSOCK)");
}

static void I386Getpid(int count, char** arguments) {
  (void)count, (void)arguments;
  Int80(20, 0, 0, "any i386 call");
}

static void X32Getpid(int count, char** arguments) {
  (void)count, (void)arguments;
  Judge(Call(0x40000000 + SYS_getpid, 0, 0, 0, 0, 0, 0), "any x32 call");
}

/* Type into the terminal on stdin: taken over as controlling terminal, then TIOCSTI. */
static void TypeIntoTerminal(int count, char** arguments) {
  (void)count, (void)arguments;
  Call(SYS_ioctl, 0, 0x540e, 1, 0, 0, 0); /* TIOCSCTTY; without it TIOCSTI needs privilege */
  JudgeSuccess(Call(SYS_ioctl, 0, 0x5412, (long)"x", 0, 0, 0), "TIOCSTI on the terminal of stdin");
}

const struct Door kCallDoors[] = {{"call", OneCall},
                                  {"calls", ListCalls},
                                  {"perf", PerfEvent},
                                  {"clone-user", CloneUser},
                                  {"clone3-user", Clone3User},
                                  {"i386-vsock", I386Vsock},
                                  {"i386", I386Getpid},
                                  {"x32", X32Getpid},
                                  {"tiocsti", TypeIntoTerminal},
                                  {NULL, NULL}};
