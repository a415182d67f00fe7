#include "linux_runtime/network/gateway/gateway_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <vector>

#include "linux_runtime/sys/seccomp.h"

namespace mxc::network {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
constexpr uint32_t kOnlyHere[] = {SYS_epoll_wait, SYS_poll};
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
constexpr uint32_t kOnlyHere[] = {SYS_ppoll};
#else
constexpr uint32_t kArch = 0;
constexpr uint32_t kOnlyHere[] = {SYS_exit_group};
#endif

constexpr uint32_t kCalls[] = {
    // connections
    SYS_accept4, SYS_connect, SYS_getsockopt, SYS_recvfrom, SYS_recvmsg, SYS_sendmsg, SYS_sendto, SYS_setsockopt,
    SYS_shutdown, SYS_socket, SYS_splice, SYS_pipe2, SYS_fcntl, SYS_close, SYS_read, SYS_write,
    // waiting
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_clock_gettime, SYS_restart_syscall, SYS_rt_sigreturn,
    // memory, the C library, the end
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_getrandom, SYS_prlimit64, SYS_exit, SYS_exit_group};

constexpr auto kNumber = static_cast<uint32_t>(offsetof(sys::SeccompData, nr));
constexpr auto kArchitecture = static_cast<uint32_t>(offsetof(sys::SeccompData, arch));
constexpr auto kProtection = static_cast<uint32_t>(offsetof(sys::SeccompData, args) + 2 * sizeof(uint64_t));

}  // namespace

int KeepToGatewayCalls() {
  if (kArch == 0) return -ENOSYS;
  constexpr uint32_t kRefuse = sys::kSeccompErrno | EPERM;
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArchitecture),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, sys::kSeccompKillProcess),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      // mmap, but nothing that can be executed
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kProtection),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
      BPF_STMT(BPF_RET | BPF_K, sys::kSeccompAllow),
  };
  const auto allow = [&](uint32_t call) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, sys::kSeccompAllow));
  };
  for (const uint32_t call : kCalls) allow(call);
  for (const uint32_t call : kOnlyHere) allow(call);
  code.push_back(BPF_STMT(BPF_RET | BPF_K, kRefuse));
  return sys::SeccompSetFilter(code.data(), code.size(), 0);
}

}  // namespace mxc::network
