// The floor of a container's start: the namespaces, mounts, device nodes and masks of tests/bench/containers.py's bundle, by
// the shortest sequence of system calls that a person would write, then exec. No state, no checks, no filters, no rights dropped.
//
//   container_floor ROOTFS CGROUP_NAME|- PROGRAM
//
// CGROUP_NAME: a folder of this name is made in each mounted v1 hierarchy, joined and removed; "-": none.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* const kControllers[] = {"cpu",     "cpuacct", "cpuset", "memory", "devices",
                                           "freezer", "blkio",   "pids",   "systemd"};
enum { kCount = sizeof kControllers / sizeof kControllers[0] };
static char own[kCount][512];
static int tasks[kCount];

static void Die(const char* what) {
  perror(what);
  _exit(125);
}

static void Must(long result, const char* what) {
  if (result < 0) Die(what);
}

// The caller's own group of each hierarchy, below which the new one is made.
static void FindOwn(const char* name) {
  FILE* file = fopen("/proc/self/cgroup", "r");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *list = strchr(line, ':'), *path = list == NULL ? NULL : strchr(list + 1, ':');
    if (path == NULL) continue;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    ++list;
    if (strncmp(list, "name=", 5) == 0) list += 5;
    for (int i = 0; i < kCount; ++i) {
      if (strcmp(list, kControllers[i]) == 0)
        snprintf(own[i], sizeof own[i], "/sys/fs/cgroup/%s%s/%s", list, strcmp(path, "/") == 0 ? "" : path, name);
    }
  }
  if (file != NULL) fclose(file);
}

// Never freed: the program lives for a start.
static char* Joined(const char* folder, const char* name) {
  char* path = NULL;
  if (asprintf(&path, "%s/%s", folder, name) < 0) Die("memory");
  return path;
}

static void CopySetting(const char* folder, const char* file) {
  char text[256];
  int from = open(Joined(folder, Joined("..", file)), O_RDONLY);
  ssize_t size = from < 0 ? 0 : read(from, text, sizeof text);
  if (from >= 0) close(from);
  int to = open(Joined(folder, file), O_WRONLY);
  if (to >= 0 && size > 0) (void)!write(to, text, (size_t)size);
  if (to >= 0) close(to);
}

static void MakeGroups(const char* name) {
  FindOwn(name);
  for (int i = 0; i < kCount; ++i) {
    tasks[i] = -1;
    if (own[i][0] == '\0' || mkdir(own[i], 0755) < 0) continue;
    if (strcmp(kControllers[i], "cpuset") == 0) {
      CopySetting(own[i], "cpuset.cpus");
      CopySetting(own[i], "cpuset.mems");
    }
    tasks[i] = open(Joined(own[i], "tasks"), O_WRONLY | O_CLOEXEC);
  }
}

static void Join(void) {
  for (int i = 0; i < kCount; ++i) {
    if (tasks[i] > 0) Must(write(tasks[i], "0", 1), own[i]);
  }
}

static void Mount(const char* type, const char* path, unsigned long flags, const char* data) {
  Must(mount(type, path, type, flags, data), path);
}

static void Devices(void) {
  static const struct {
    const char* path;
    unsigned major, minor;
  } kNodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
                {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  static const char* const kLinks[][2] = {{"/proc/self/fd", "dev/fd"},
                                          {"/proc/self/fd/0", "dev/stdin"},
                                          {"/proc/self/fd/1", "dev/stdout"},
                                          {"/proc/self/fd/2", "dev/stderr"},
                                          {"pts/ptmx", "dev/ptmx"}};
  for (size_t i = 0; i < sizeof kNodes / sizeof kNodes[0]; ++i)
    Must(mknod(kNodes[i].path, S_IFCHR | 0666, makedev(kNodes[i].major, kNodes[i].minor)), kNodes[i].path);
  for (size_t i = 0; i < sizeof kLinks / sizeof kLinks[0]; ++i) Must(symlink(kLinks[i][0], kLinks[i][1]), kLinks[i][1]);
}

static void Masks(void) {
  static const char* const kHidden[] = {"proc/acpi",          "proc/asound", "proc/kcore",       "proc/keys",
                                        "proc/latency_stats", "proc/scsi",   "proc/sched_debug", "proc/timer_list",
                                        "proc/timer_stats",   "sys/firmware"};
  static const char* const kReadonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
  struct stat found;
  for (size_t i = 0; i < sizeof kHidden / sizeof kHidden[0]; ++i) {
    if (stat(kHidden[i], &found) < 0) continue;
    if (S_ISDIR(found.st_mode))
      Mount("tmpfs", kHidden[i], MS_RDONLY, "size=4k");
    else
      Must(mount("dev/null", kHidden[i], NULL, MS_BIND, NULL), kHidden[i]);
  }
  for (size_t i = 0; i < sizeof kReadonly / sizeof kReadonly[0]; ++i) {
    if (mount(kReadonly[i], kReadonly[i], NULL, MS_BIND | MS_REC, NULL) < 0) continue;
    Must(mount(NULL, kReadonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), kReadonly[i]);
  }
}

static void Child(const char* root, char* program) {
  Join();
  Must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
  Must(mount(root, root, NULL, MS_BIND | MS_REC, NULL), root);
  Must(chdir(root), root);
  Mount("proc", "proc", 0, NULL);
  Mount("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  const char* const kFolders[] = {"dev/pts", "dev/shm", "dev/mqueue"};
  for (int i = 0; i < 3; ++i) Must(mkdir(kFolders[i], 0755), kFolders[i]);
  Mount("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  Mount("tmpfs", "dev/shm", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=1777,size=65536k");
  Mount("mqueue", "dev/mqueue", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
  Mount("sysfs", "sys", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
  Devices();
  Masks();
  Must(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only root");
  Must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  Must(umount2(".", MNT_DETACH), "old root");
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  Must(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
  Must(sethostname("mxc", 3), "hostname");
  char *const argv[] = {program, NULL}, *const env[] = {NULL};
  execve(program, argv, env);
  Die(program);
}

int main(int argc, char** argv) {
  if (argc != 4) return 125;
  const int groups = strcmp(argv[2], "-") != 0;
  if (groups) MakeGroups(argv[2]);
  struct clone_args args = {0};
  args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  args.exit_signal = SIGCHLD;
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) Die("clone3");
  if (pid == 0) Child(argv[1], argv[3]);
  int status = 0;
  waitpid(pid, &status, 0);
  for (int i = 0; groups && i < kCount; ++i) {
    if (own[i][0] == '\0') continue;
    while (rmdir(own[i]) < 0 && errno == EBUSY) usleep(200);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
