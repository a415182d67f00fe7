#include "linux_runtime/sandbox/reaper.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

#define MXC_ALLOW(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

// What the loop below and libc's exit need. Anything else means that the process was taken over.
const sock_filter kReaperFilter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    MXC_ALLOW(SYS_rt_sigtimedwait),
    MXC_ALLOW(SYS_wait4),
    MXC_ALLOW(SYS_kill),
    MXC_ALLOW(SYS_write),
    MXC_ALLOW(SYS_getrusage),
    MXC_ALLOW(SYS_exit_group),
    MXC_ALLOW(SYS_rt_sigreturn),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
#undef MXC_ALLOW

void KeepOnly(int fd) {
  if (fd > 0) sys::CloseRange(0, static_cast<unsigned>(fd) - 1, 0);
  sys::CloseRange(static_cast<unsigned>(fd) + 1, ~0u, 0);
}

uint64_t Microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

[[noreturn]] void Report(int status, int wait_status) {
  StatusRecord record{};
  record.kind = StatusKind::kExited;
  record.wait_status = wait_status;
  rusage usage{};
  if (::getrusage(RUSAGE_CHILDREN, &usage) == 0) {
    record.user_us = Microseconds(usage.ru_utime);
    record.system_us = Microseconds(usage.ru_stime);
    record.max_rss_kib = static_cast<uint64_t>(usage.ru_maxrss);
  }
  sys::Write(status, &record, sizeof record);
  ::_exit(0);
}

bool PassedOn(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
    case SIGQUIT:
    case SIGUSR1:
    case SIGUSR2:
    case SIGWINCH:
    case SIGCONT:
    case SIGTSTP:
    case SIGALRM:
      return true;
    default:
      return false;
  }
}

}  // namespace

void RunReaper(pid_t program, int status) {
  KeepOnly(status);
  // Away from the supervisor's process group: a Ctrl-C of its terminal arrives once, passed on by it.
  ::setsid();
  sock_fprog filter{sizeof kReaperFilter / sizeof kReaperFilter[0], const_cast<sock_filter*>(kReaperFilter)};
  if (sys::Prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, reinterpret_cast<unsigned long>(&filter)) < 0) ::_exit(125);

  sigset_t every;
  sigfillset(&every);
  for (;;) {
    int wait_status = 0;
    for (;;) {
      pid_t ended = ::wait4(-1, &wait_status, WNOHANG, nullptr);
      if (ended == program) Report(status, wait_status);
      if (ended <= 0) break;
    }
    siginfo_t info;
    int signal = ::sigtimedwait(&every, &info, nullptr);
    if (signal <= 0 || !PassedOn(signal)) continue;
    // Before the program's setsid there is no such group yet.
    if (::kill(-program, signal) != 0) ::kill(program, signal);
  }
}

}  // namespace mxc::sandbox
