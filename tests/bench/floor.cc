// The floor: what a sandbox's start costs at least. The same namespaces, the same mounts and the same exec as mxc's plan
// for a policy, by the shortest sequence of system calls a person would write, and nothing else: no policy, no limits,
// no filters, no checks, no supervision.
//
//   floor SCRIPT PROGRAM [ARGUMENT ...]
//
// SCRIPT has one operation a line, made from `mxc plan` by bench.py:
//   dir PATH | file PATH | link TARGET PATH | bind SOURCE PATH ro|rw | tmpfs PATH OPTIONS ro|rw | proc PATH |
//   devpts PATH OPTIONS | mqueue PATH | hide PATH | readonly PATH | seal PATH
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace {

constexpr char kBase[] = "/tmp";

[[noreturn]] void Die(const char* what) {
  perror(what);
  _exit(125);
}

struct Line {
  std::vector<std::string> words;
};

std::vector<Line> ReadScript(const char* name) {
  FILE* file = fopen(name, "r");
  if (file == nullptr) Die(name);
  std::vector<Line> lines;
  char text[8192];
  while (fgets(text, sizeof text, file) != nullptr) {
    Line line;
    for (char* word = strtok(text, " \n"); word != nullptr; word = strtok(nullptr, " \n"))
      line.words.emplace_back(word);
    if (!line.words.empty()) lines.push_back(std::move(line));
  }
  fclose(file);
  return lines;
}

void WriteFile(const char* path, const std::string& text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text.data(), text.size()) < 0) Die(path);
  close(fd);
}

void Readonly(const char* path) {
  struct {
    unsigned long long set = 1, clear = 0, propagation = 0, userns = 0;
  } attr;
  if (syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof attr) < 0) Die(path);
}

void Apply(const Line& line) {
  const std::vector<std::string>& words = line.words;
  const std::string& operation = words[0];
  std::string path = kBase + (operation == "link" || operation == "bind" ? words[2] : words[1]);
  if (operation == "dir") {
    mkdir(path.c_str(), 0755);
  } else if (operation == "file") {
    close(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  } else if (operation == "link") {
    if (symlink(words[1].c_str(), path.c_str()) < 0) Die(path.c_str());
  } else if (operation == "bind") {
    if (mount(words[1].c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0) Die(path.c_str());
    if (words[3] == "ro") Readonly(path.c_str());
  } else if (operation == "tmpfs") {
    if (mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID, words[2].c_str()) < 0) Die(path.c_str());
  } else if (operation == "proc") {
    if (mount("proc", path.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) Die(path.c_str());
  } else if (operation == "devpts") {
    if (mount("devpts", path.c_str(), "devpts", MS_NOSUID | MS_NOEXEC, words[2].c_str()) < 0) Die(path.c_str());
  } else if (operation == "mqueue") {
    if (mount("mqueue", path.c_str(), "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) Die(path.c_str());
  } else if (operation == "hide") {
    struct stat found;
    if (stat(path.c_str(), &found) < 0) return;
    if (S_ISDIR(found.st_mode)) {
      if (mount("tmpfs", path.c_str(), "tmpfs", MS_RDONLY, "size=4k") < 0) Die(path.c_str());
    } else {
      std::string null = std::string(kBase) + "/dev/null";
      if (mount(null.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) < 0) Die(path.c_str());
    }
  } else if (operation == "readonly") {
    if (mount(path.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0) return;
    Readonly(path.c_str());
  } else if (operation == "seal") {
    if (mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) < 0) Die(path.c_str());
  } else {
    fprintf(stderr, "floor: unknown operation %s\n", operation.c_str());
    _exit(125);
  }
}

[[noreturn]] void Child(const std::vector<Line>& script, char** argv, uid_t uid, gid_t gid) {
  WriteFile("/proc/self/setgroups", "deny");
  WriteFile("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1");
  WriteFile("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) Die("private");
  if (mount("tmpfs", kBase, "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=0755") < 0) Die(kBase);
  for (const Line& line : script) Apply(line);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) Die("lo");
  if (chdir(kBase) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0) Die("pivot_root");
  pid_t program = fork();
  if (program == 0) {
    execv(argv[0], argv);
    Die(argv[0]);
  }
  int status = 0;
  waitpid(program, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: floor SCRIPT PROGRAM [ARGUMENT ...]\n");
    return 125;
  }
  std::vector<Line> script = ReadScript(argv[1]);
  uid_t uid = geteuid();
  gid_t gid = getegid();
  struct {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } args{};
  args.flags =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  args.exit_signal = SIGCHLD;
  pid_t pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) Die("clone3");
  if (pid == 0) Child(script, argv + 2, uid, gid);
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
