#include "linux_runtime/container/console_socket.h"

#include <string.h>
#include <sys/un.h>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::container {

Result<sys::UniqueFd> ConnectUnixSocket(const std::string& path) {
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return sys::SystemError("make a unix socket", errno);
  // By a descriptor of its own: a path may be longer than a socket's address.
  sys::UniqueFd place(sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH));
  if (!place.valid()) return sys::SystemError("open the socket " + path, -place.get());
  const std::string name = "/proc/self/fd/" + std::to_string(place.get());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, name.c_str(), name.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return sys::SystemError("connect to the socket " + path, errno);
  }
  return socket;
}

Result<void> SendDescriptors(int socket, const std::string& data, const std::vector<int>& fds) {
  iovec text{const_cast<char*>(data.data()), data.size()};
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(data.size())) return sys::SystemError("hand a descriptor over", errno);
  return {};
}

}  // namespace mxc::container
