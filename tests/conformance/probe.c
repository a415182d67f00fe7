/* probe WORD [ARGUMENT…]: what a container's program needs and a shell can't do. Static, so that it runs in any root.
 *
 *   call NAME [ARGUMENT…]   one system call; an argument is a number, or text after `s:`; prints its result or -errno
 *   fds                     numbers of the open file descriptors, by fcntl, so that no /proc is needed
 *   attributes              scheduling policy, nice, priority, I/O priority, CPUs and memory policy of this process
 *   memory MIB              touches that much memory and says so
 *   processes N             starts N processes that wait, and says how many it could
 *   wait [SIGNAL…]          says `ready`, then waits; prints the names of the given signals as they come
 *   tty                     per standard stream: whether it is a terminal, its name and size
 *   groups                  supplementary groups in order
 *   foreign                 getpid by the i386 gate, which only x86-64 has; prints what came back
 *   keyring                 serial number of the session keyring
 *   mempolicy               mode of the memory policy and the first word of its nodes
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
  const char* name;
  long number;
} kCalls[] = {
    {"getpid", SYS_getpid},
    {"getppid", SYS_getppid},
    {"getuid", SYS_getuid},
    {"personality", SYS_personality},
    {"socket", SYS_socket},
    {"mount", SYS_mount},
    {"mkdirat", SYS_mkdirat},
    {"mknodat", SYS_mknodat},
    {"openat", SYS_openat},
    {"kill", SYS_kill},
    {"unshare", SYS_unshare},
    {"sethostname", SYS_sethostname},
    {"chroot", SYS_chroot},
    {"dup", SYS_dup},
    {"sched_yield", SYS_sched_yield},
    {"getpriority", SYS_getpriority},
    {"fchmodat", SYS_fchmodat},
    {"prctl", SYS_prctl},
    {"setns", SYS_setns},
    {"umask", SYS_umask},
};

static int Call(int count, char** words) {
  long arguments[6] = {0};
  if (count < 1 || count > 7) return 2;
  for (int i = 1; i < count; ++i) {
    int is_text = strncmp(words[i], "s:", 2) == 0;
    arguments[i - 1] = is_text ? (long)(words[i] + 2) : (long)strtoull(words[i], NULL, 0);
  }
  for (size_t i = 0; i < sizeof kCalls / sizeof *kCalls; ++i) {
    if (strcmp(kCalls[i].name, words[0]) != 0) continue;
    long result =
        syscall(kCalls[i].number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    printf("%s %ld\n", words[0], result == -1 ? -(long)errno : result);
    return 0;
  }
  fprintf(stderr, "probe: no call named %s\n", words[0]);
  return 2;
}

static int Descriptors(void) {
  for (int fd = 0; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) printf("%d\n", fd);
  }
  return 0;
}

static int Attributes(void) {
  struct {
    unsigned size, policy;
    unsigned long long flags;
    int nice;
    unsigned priority;
    unsigned long long runtime, deadline, period;
  } scheduling = {.size = sizeof scheduling};
  if (syscall(SYS_sched_getattr, 0, &scheduling, sizeof scheduling, 0) != 0) return 1;
  printf("policy %u\nnice %d\npriority %u\nflags %llu\n", scheduling.policy, scheduling.nice, scheduling.priority,
         scheduling.flags);
  long io = syscall(SYS_ioprio_get, 1, 0);
  printf("ioclass %ld\nioprio %ld\n", io >> 13, io & 0x1fff);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  printf("cpus");
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &cpus)) printf(" %d", cpu);
  }
  printf("\n");
  return 0;
}

static int Memory(long mebibytes) {
  for (long i = 0; i < mebibytes; ++i) {
    char* page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 1;
    memset(page, 1, 1 << 20);
  }
  printf("touched %ld MiB\n", mebibytes);
  return 0;
}

static int Processes(int wanted) {
  int made = 0;
  pid_t* children = calloc((size_t)wanted, sizeof *children);
  if (children == NULL) return 1;
  for (; made < wanted; ++made) {
    children[made] = fork();
    if (children[made] == 0) {
      pause();
      _exit(0);
    }
    if (children[made] < 0) break;
  }
  printf("started %d\n", made);
  for (int i = 0; i < made; ++i) {
    kill(children[i], SIGKILL);
    waitpid(children[i], NULL, 0);
  }
  return 0;
}

static void OnSignal(int number) { (void)number; }

static _Noreturn void Wait(int count, char** names) {
  sigset_t wanted;
  sigemptyset(&wanted);
  struct sigaction action = {.sa_handler = OnSignal};
  for (int i = 0; i < count; ++i) {
    for (int number = 1; number < NSIG; ++number) {
      const char* name = sigabbrev_np(number);
      if (name == NULL || strcmp(name, names[i]) != 0) continue;
      sigaddset(&wanted, number);
      sigaction(number, &action, NULL);
    }
  }
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  printf("ready\n");
  fflush(stdout);
  for (int number; count > 0 && sigwait(&wanted, &number) == 0;) {
    printf("%s\n", sigabbrev_np(number));
    fflush(stdout);
  }
  for (;;) pause();
}

static int Terminal(void) {
  for (int fd = 0; fd < 3; ++fd) {
    struct winsize size = {0};
    const char* name = isatty(fd) ? ttyname(fd) : NULL;
    ioctl(fd, TIOCGWINSZ, &size);
    printf("%d %s %s %dx%d\n", fd, isatty(fd) ? "terminal" : "other", name ? name : "-", size.ws_row, size.ws_col);
  }
  return 0;
}

static int Groups(void) {
  gid_t groups[256];
  int count = getgroups(256, groups);
  for (int i = 0; i < count; ++i) printf("%u\n", groups[i]);
  return count < 0;
}

static int Mempolicy(void) {
  int mode = 0;
  unsigned long nodes[16] = {0};
  if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, 0, 0) != 0) {
    printf("error %d\n", errno);
    return 0;
  }
  printf("mode %d nodes %lu\n", mode, nodes[0]);
  return 0;
}

static int Foreign(void) {
#ifdef __x86_64__
  long result = 20;  // __NR_getpid of i386
  __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
  printf("foreign %ld\n", result);
  return 0;
#else
  return 2;
#endif
}

int main(int count, char** words) {
  const char* word = count > 1 ? words[1] : "";
  long number = count > 2 ? strtol(words[2], NULL, 0) : 0;
  if (strcmp(word, "call") == 0) return Call(count - 2, words + 2);
  if (strcmp(word, "fds") == 0) return Descriptors();
  if (strcmp(word, "attributes") == 0) return Attributes();
  if (strcmp(word, "memory") == 0) return Memory(number);
  if (strcmp(word, "processes") == 0) return Processes((int)number);
  if (strcmp(word, "wait") == 0) Wait(count - 2, words + 2);
  if (strcmp(word, "tty") == 0) return Terminal();
  if (strcmp(word, "groups") == 0) return Groups();
  if (strcmp(word, "mempolicy") == 0) return Mempolicy();
  if (strcmp(word, "foreign") == 0) return Foreign();
  if (strcmp(word, "keyring") == 0) {
    printf("%ld\n", syscall(SYS_keyctl, 0, -3, 0));
    return 0;
  }
  fprintf(stderr, "usage: probe WORD [ARGUMENT...]\n");
  return 2;
}
