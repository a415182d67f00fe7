#include "linux_runtime/network/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <utility>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

constexpr size_t kAnswerBytes = size_t{64} * 1024;  // the kernel's dumps come in pieces of at most 32 KiB

}  // namespace

Result<sys::UniqueFd> OpenNetlink(int protocol) {
  sys::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket.valid()) return sys::SystemError("open a netlink socket", errno);
  return socket;
}

Result<sys::UniqueFd> OpenNetlinkIn(int netns, int protocol) {
  sys::UniqueFd here(sys::OpenAt(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
  if (!here.valid()) return sys::SystemError("open /proc/self/ns/net", -here.get());
  if (int error = sys::SetNs(netns, CLONE_NEWNET); error < 0) {
    return sys::SystemError("enter the container's network namespace", -error);
  }
  Result<sys::UniqueFd> opened = OpenNetlink(protocol);
  if (int error = sys::SetNs(here.get(), CLONE_NEWNET); error < 0) {
    return sys::SystemError("come back from the container's network namespace", -error);
  }
  return opened;
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
