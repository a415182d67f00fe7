// For tests over the kernel's own cgroups: children inside a group, and what became of them.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {

// A child inside the group that runs `body` and exits with what it returns. folder: v2's for CLONE_INTO_CGROUP, else -1.
template <class Body>
pid_t StartInside(const std::vector<int>& tasks, int folder, Body body) {
  sys::CloneArgs args{};
  args.exit_signal = SIGCHLD;
  if (folder >= 0) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(folder);
  }
  pid_t pid = sys::Clone3(&args);
  if (pid == 0) {
    for (int fd : tasks) {
      if (sys::Write(fd, "0", 1) < 0) ::_exit(99);
    }
    ::_exit(body());
  }
  REQUIRE(pid > 0);
  return pid;
}

inline int StatusOf(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

inline std::string UniqueName(const char* what) {
  return std::string("mxctest-") + what + "-" + std::to_string(::getpid());
}

}  // namespace mxc::cgroup
