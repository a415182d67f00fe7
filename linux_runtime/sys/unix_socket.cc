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

long SendMessage(int socket, std::string_view data, std::span<const UniqueFd> descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
  iovec text{const_cast<char*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    if (descriptors.size() > kMostDescriptors) return -EINVAL;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    for (size_t i = 0; i < descriptors.size(); ++i) {
      const int fd = descriptors[i].get();
      memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  return Check(::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

long ReceiveMessage(int socket, std::span<char> data, std::vector<UniqueFd>& descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
  iovec text{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long got = Check(::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
  if (got < 0) return got;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= header->cmsg_len; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  return got;
}

}  // namespace mxc::sys
