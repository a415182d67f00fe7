// Runs one action in a forked child, so that filters and rulesets, which can't be taken off, end with it.
#pragma once

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace mxc::test {

inline constexpr long kKilled = -100000;  // minus the signal
inline constexpr long kSetup = -200000;   // what stands before the action failed; minus errno

inline constexpr unsigned kNobody = 65534;

// Raw system call: the kernel's value or -errno, all arguments with their full 64 bits.
template <class... Args>
long Raw(long number, Args... args) {
  long value = ::syscall(number, args...);
  return value == -1 ? -static_cast<long>(errno) : value;
}

// What `action` returns in a child, as user `uid` (kNobody, or 0 for no change), with no_new_privs, after `confine`
// (0 or -errno). kKilled - signal when the child dies.
inline long InChild(unsigned uid, const std::function<long()>& confine, const std::function<long()>& action) {
  int ends[2];
  if (::pipe(ends) != 0) return kSetup - errno;
  (void)::fflush(nullptr);
  pid_t child = ::fork();
  if (child == 0) {
    (void)::signal(SIGSEGV, SIG_DFL);  // the test framework's handler would report a failed case
    long value = 0;
    if (uid != 0 &&
        (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 || ::setresuid(uid, uid, uid) != 0))
      value = kSetup - errno;
    if (value == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) value = kSetup - errno;
    if (value == 0)
      if (long error = confine(); error < 0) value = kSetup + error;
    if (value == 0) value = action();
    (void)!::write(ends[1], &value, sizeof value);
    ::_exit(0);
  }
  ::close(ends[1]);
  long value = 0;
  bool whole = ::read(ends[0], &value, sizeof value) == sizeof value;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (whole) return value;
  return WIFSIGNALED(status) ? kKilled - WTERMSIG(status) : kSetup;
}

// A folder that every user may write to, removed at the end.
class SharedFolder {
 public:
  SharedFolder();
  ~SharedFolder();
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace mxc::test
