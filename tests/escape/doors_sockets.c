/* Sockets that lead past the network namespace or past the file system. */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/escape/door.h"

/* socket FAMILY TYPE PROTOCOL, all 64 bits of each as given. */
static void Socket(int count, char** arguments) {
  if (count < 3) return;
  char what[128];
  snprintf(what, sizeof what, "socket(%s, %s, %s)", arguments[0], arguments[1], arguments[2]);
  long result = Call(SYS_socket, strtol(arguments[0], NULL, 0), strtol(arguments[1], NULL, 0),
                     strtol(arguments[2], NULL, 0), 0, 0, 0);
  if (result == -ENODEV)
    Open("%s: the family is there, without a device behind it", what);
  else
    JudgeSuccess(result, what);
}

static void SocketPair(int count, char** arguments) {
  int pair[2];
  if (count < 1) return;
  /* A family without pairs answers EOPNOTSUPP: behind the gate. */
  Judge(Call(SYS_socketpair, strtol(arguments[0], NULL, 0), SOCK_STREAM, 0, (long)pair, 0, 0), "socketpair");
}

/* connect-unix NAME; '@' first for an abstract one. */
static void ConnectUnix(int count, char** arguments) {
  if (count < 1) return;
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, arguments[0], sizeof address.sun_path - 1);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path));
  if (address.sun_path[0] == '@')
    address.sun_path[0] = 0;
  else
    size = sizeof address;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  JudgeSuccess(connect(fd, (struct sockaddr*)&address, size) == 0 ? 0 : -errno, "connect to a unix socket of the host");
}

static void ConnectLoopback(int count, char** arguments) {
  if (count < 1) return;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)atoi(arguments[0]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  JudgeSuccess(connect(fd, (struct sockaddr*)&address, sizeof address) == 0 ? 0 : -errno,
               "connect to a port of the host's loopback");
}

const struct Door kSocketDoors[] = {{"socket", Socket},
                                    {"socketpair", SocketPair},
                                    {"connect-unix", ConnectUnix},
                                    {"connect-loopback", ConnectLoopback},
                                    {NULL, NULL}};
