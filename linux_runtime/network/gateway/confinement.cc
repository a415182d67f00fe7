#include "linux_runtime/network/gateway/confinement.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <vector>

#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/landlock.h"
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
    SYS_shutdown, SYS_splice, SYS_pipe2, SYS_fcntl, SYS_close, SYS_read, SYS_write,
    // waiting
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_clock_gettime, SYS_restart_syscall, SYS_rt_sigreturn,
    // memory, the C library, the end
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_getrandom, SYS_prlimit64, SYS_exit, SYS_exit_group};

constexpr auto kNumber = static_cast<uint32_t>(offsetof(sys::SeccompData, nr));
constexpr auto kArchitecture = static_cast<uint32_t>(offsetof(sys::SeccompData, arch));
// Their low halves: the architectures above are little-endian.
constexpr auto kArgument0 = static_cast<uint32_t>(offsetof(sys::SeccompData, args));
constexpr auto kArgument2 = static_cast<uint32_t>(kArgument0 + 2 * sizeof(uint64_t));

}  // namespace

int LoseFiles() {
  const int abi = sys::LandlockAbi();
  if (abi <= 0) return 0;
  sys::LandlockRulesetAttr attr;
  attr.handled_access_fs = sys::kLandlockRefer - 1;  // all of ABI 1
  if (abi >= 2) attr.handled_access_fs |= sys::kLandlockRefer;
  if (abi >= 3) attr.handled_access_fs |= sys::kLandlockTruncate;
  if (abi >= 5) attr.handled_access_fs |= sys::kLandlockIoctlDev;
  if (abi >= 6) attr.scoped = sys::kLandlockScopeAbstractUnix | sys::kLandlockScopeSignal;
  const sys::UniqueFd ruleset(sys::LandlockCreateRuleset(attr));
  return ruleset.valid() ? sys::LandlockRestrictSelf(ruleset.get(), 0) : ruleset.get();
}

int KeepToGatewayCalls() {
  if (kArch == 0) return -ENOSYS;
  constexpr uint32_t kRefuse = sys::kSeccompErrno | EPERM;
  const auto load = [](uint32_t offset) -> sock_filter { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); };
  const auto answer = [](uint32_t value) -> sock_filter { return BPF_STMT(BPF_RET | BPF_K, value); };
  std::vector<sock_filter> code = {
      load(kArchitecture),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0),
      answer(sys::kSeccompKillProcess),
      load(kNumber),
      // mmap, but nothing that can be executed
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
      load(kArgument2),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      answer(kRefuse),
      answer(sys::kSeccompAllow),
      // socket, but none of this machine's own: message buses, agents, netlink
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
      load(kArgument0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      answer(sys::kSeccompAllow),
      answer(kRefuse),
  };
  const auto allow = [&](uint32_t call) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    code.push_back(answer(sys::kSeccompAllow));
  };
  for (const uint32_t call : kCalls) allow(call);
  for (const uint32_t call : kOnlyHere) allow(call);
  code.push_back(answer(kRefuse));
  return sys::SeccompSetFilter(code.data(), code.size(), 0);
}

}  // namespace mxc::network
