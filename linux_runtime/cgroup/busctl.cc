#include "linux_runtime/cgroup/busctl.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

constexpr size_t kMostOutput = 4096;

// Starts the program with `output` as its stdout and stderr.
int Spawn(const std::vector<std::string>& words, int output, pid_t& pid) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, 1);
  ::posix_spawn_file_actions_adddup2(&actions, output, 2);
  int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

// To the end of the pipe, of which the start is kept.
std::string ReadOutput(int fd) {
  std::string text;
  char buffer[1024];
  for (;;) {
    long size = sys::Read(fd, buffer, sizeof buffer);
    if (size == -EINTR) continue;
    if (size <= 0) break;
    text.append(buffer, std::min(static_cast<size_t>(size), kMostOutput - text.size()));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Result<void> CallSystemd(const Bus& bus, const std::vector<std::string>& words) {
  std::vector<std::string> all = {bus.busctl, bus.user ? "--user" : "--system", "--quiet"};
  all.insert(all.end(), words.begin(), words.end());
  std::string what = "ask systemd by " + bus.busctl + " (" + (words.size() > 5 ? words[5] : "") + ")";
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return sys::SystemError(what, errno);
  sys::UniqueFd reader(ends[0]), writer(ends[1]);
  pid_t pid = 0;
  int error = Spawn(all, writer.get(), pid);
  writer.reset();
  if (error != 0) {
    return sys::SystemError(what, error).WithHint("install systemd's busctl, or use --cgroup-manager cgroupfs");
  }
  std::string output = ReadOutput(reader.get());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error(Code::kSystem, what + ": " + (output.empty() ? "it failed and said nothing" : output))
      .WithHint(bus.user ? "rootless, systemd's user manager has to run and XDG_RUNTIME_DIR has to be set"
                         : "systemd has to run as this host's init");
}

}  // namespace mxc::cgroup
