#include "linux_runtime/network/gateway/confinement.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

// In a child after `confine`: 0, or the line of the first expectation that didn't hold. Nothing of the test's is left there but
// _exit.
int Confined(int (*confine)(), int (*expect)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::_exit(confine() == 0 ? expect() : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

TEST_CASE("Of system calls those of IP sockets are left") {
  CHECK(Confined(KeepToGatewayCalls, []() -> int {
          if (::socket(AF_INET, SOCK_STREAM, 0) < 0 || ::socket(AF_INET6, SOCK_DGRAM, 0) < 0) return 2;
          for (const int family : {AF_UNIX, AF_NETLINK, AF_PACKET, 40 /* AF_VSOCK */, 38 /* AF_ALG */}) {
            if (::socket(family, SOCK_DGRAM, 0) >= 0 || errno != EPERM) return 3;
          }
          if (::open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) return 4;
          if (sys::Fork() != -EPERM) return 5;
          if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 6;
          if (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return 7;
          if (::kill(::getppid(), 0) == 0) return 8;
          char* const none[] = {nullptr};
          ::execve("/bin/true", none, none);
          if (errno != EPERM) return 9;
          if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) >= 0 || errno != EPERM) return 10;
          return 0;
        }) == 0);
}

TEST_CASE("No file is left, and nobody to send signals to") {
  if (sys::LandlockAbi() <= 0) {
    MESSAGE("this kernel has no Landlock");
    return;
  }
  CHECK(Confined(LoseFiles, []() -> int {
          if (::open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES) return 2;
          if (::open("/tmp", O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES) return 3;
          if (::open("/tmp/mxc-confined", O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES) return 4;
          if (sys::LandlockAbi() >= 6 && (::kill(::getppid(), 0) == 0 || errno != EPERM)) return 5;
          return 0;
        }) == 0);
}

}  // namespace
}  // namespace mxc::network
