// A descriptor over a unix socket (unix(7), SCM_RIGHTS), with one byte of data. Async-signal-safe.
#pragma once

#include <string.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

// 0 or -errno.
inline int SendDescriptor(int socket, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  long sent = Check(::sendmsg(socket, &message, MSG_NOSIGNAL));
  return sent < 0 ? static_cast<int>(sent) : 0;
}

// The next message's descriptor, close-on-exec; -ENOMSG when it has none, -EPIPE at the end.
inline int ReceiveDescriptor(int socket) {
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  long count;
  while ((count = Check(::recvmsg(socket, &message, MSG_CMSG_CLOEXEC))) == -EINTR) {
  }
  if (count < 0) return static_cast<int>(count);
  if (count == 0) return -EPIPE;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -ENOMSG;
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

}  // namespace mxc::sys
