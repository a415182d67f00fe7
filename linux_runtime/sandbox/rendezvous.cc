#include "linux_runtime/sandbox/rendezvous.h"

#include <string.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

int Tell(int socket, Word word, int fd, uint32_t program) {
  Message text{word, program};
  iovec data{&text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  const long sent = sys::Check(::sendmsg(socket, &message, MSG_NOSIGNAL));
  return sent < 0 ? static_cast<int>(sent) : 0;
}

int Hear(int socket, Word* word, int* fd) {
  Message text{};
  iovec data{&text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof *fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  long count;
  while ((count = sys::Check(::recvmsg(socket, &message, MSG_CMSG_CLOEXEC))) == -EINTR) {
  }
  *fd = -1;
  if (count < 0) return static_cast<int>(count);
  if (count == 0) return -EPIPE;
  *word = text.word;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof *fd)) {
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
  }
  return 0;
}

int AwaitGo(int socket) {
  Word word{};
  int fd;
  const int error = Hear(socket, &word, &fd);
  if (fd >= 0) sys::Close(fd);
  if (error < 0) return error;
  return word == Word::kGo ? 0 : -EPROTO;
}

}  // namespace mxc::sandbox
