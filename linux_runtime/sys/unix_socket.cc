#include "linux_runtime/sys/unix_socket.h"

#include <string.h>
#include <sys/un.h>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

Result<UniqueFd> ConnectUnixSocket(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return SystemError("make a unix socket", errno);
  // Through a descriptor, since a socket's address holds 107 bytes of path only (unix(7)).
  UniqueFd place(OpenAt(AT_FDCWD, path.c_str(), O_PATH));
  if (!place.valid()) return SystemError("open the socket " + path, -place.get());
  const std::string name = "/proc/self/fd/" + std::to_string(place.get());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, name.c_str(), name.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return SystemError("connect to the socket " + path, errno);
  }
  return socket;
}

Result<void> SendWithDescriptor(int socket, std::string_view data, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  for (bool first = true; !data.empty(); first = false) {
    iovec text{const_cast<char*>(data.data()), data.size()};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    if (first) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof fd);
      memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    long sent;
    while ((sent = Check(::sendmsg(socket, &message, MSG_NOSIGNAL))) == -EINTR) {
    }
    if (sent < 0) return SystemError("send a descriptor over a unix socket", static_cast<int>(-sent));
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

}  // namespace mxc::sys
