#include "linux_runtime/network/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

constexpr size_t kAnswerBytes = size_t{64} * 1024;  // the kernel's dumps come in pieces of at most 32 KiB

struct Visit {
  const NetworkNamespace& there;
  const std::function<void()>& body;
  int error = 0;
  bool ran = false;
};

int Enter(void* argument) {
  auto* visit = static_cast<Visit*>(argument);
  if (visit->there.user >= 0) visit->error = sys::SetNs(visit->there.user, CLONE_NEWUSER);
  if (visit->error == 0) visit->error = sys::SetNs(visit->there.net, CLONE_NEWNET);
  if (visit->error == 0) {
    visit->body();
    visit->ran = true;
  }
  ::_exit(0);
}

}  // namespace

Result<sys::UniqueFd> OpenNetlink(int protocol) {
  sys::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket.valid()) return sys::SystemError("open a netlink socket", errno);
  return socket;
}

Result<void> RunIn(const NetworkNamespace& there, const std::function<void()>& body) {
  // No signal for its end: who waits for other children doesn't see this one. As with vfork(2) the caller stands still
  // until then, so the memory is never used by both.
  constexpr size_t kStack = size_t{256} * 1024;
  const std::unique_ptr<char[]> stack(new char[kStack]);
  Visit visit{there, body};
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  sigset_t every, before;
  sigfillset(&every);
  ::sigprocmask(SIG_SETMASK, &every, &before);
  const long pid = sys::Check(::clone(Enter, stack.get() + kStack, CLONE_VM | CLONE_VFORK | CLONE_FILES, &visit));
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0)
    return sys::SystemError("make a process to visit the sandbox's network namespace", static_cast<int>(-pid));
  while (::waitpid(static_cast<pid_t>(pid), nullptr, __WALL) < 0 && errno == EINTR) {
  }
  // Whoever gains rights in a user namespace takes its memory, which is ours, too, from others' sight (ptrace(2)).
  if (dumpable >= 0) ::prctl(PR_SET_DUMPABLE, dumpable);
  if (visit.ran) return {};
  return sys::SystemError("enter the sandbox's network namespace", visit.error < 0 ? -visit.error : ECHILD);
}

Result<sys::UniqueFd> OpenNetlinkIn(const NetworkNamespace& there, int protocol) {
  std::optional<Result<sys::UniqueFd>> opened;
  MXC_TRY(RunIn(there, [&] { opened.emplace(OpenNetlink(protocol)); }));
  return *std::move(opened);
}

int ReadNetlink(int socket, const std::function<bool(const nlmsghdr&, std::string_view)>& each) {
  std::string buffer(kAnswerBytes, '\0');
  for (;;) {
    const long got = sys::Check(::recv(socket, buffer.data(), buffer.size(), 0));
    if (got == -EINTR) continue;
    if (got < 0) return static_cast<int>(got);
    for (size_t at = 0; at + sizeof(nlmsghdr) <= static_cast<size_t>(got);) {
      nlmsghdr header;
      std::memcpy(&header, buffer.data() + at, sizeof header);
      if (header.nlmsg_len < sizeof header || at + header.nlmsg_len > static_cast<size_t>(got)) return -EBADMSG;
      const std::string_view body(buffer.data() + at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
      if (!each(header, body)) return 0;
      at += NLMSG_ALIGN(header.nlmsg_len);
    }
  }
}

int NetlinkError(std::string_view body) {
  int error = -EBADMSG;
  if (body.size() >= sizeof error) std::memcpy(&error, body.data(), sizeof error);
  return error;
}

}  // namespace mxc::network
