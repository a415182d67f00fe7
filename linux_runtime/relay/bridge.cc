#include "linux_runtime/relay/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::relay {
namespace {

constexpr size_t kBuffer = 64 << 10;

// One direction: what was read and isn't written yet.
struct Way {
  int from, to;
  std::string waiting = {};
  size_t sent = 0;
  bool ended = false;   // nothing more is read
  bool closed = false;  // and all of it is written

  bool wants_to_read() const { return !ended && waiting.empty(); }
  bool wants_to_write() const { return !waiting.empty(); }

  void Read() {
    waiting.resize(kBuffer);
    const ssize_t size = ::read(from, waiting.data(), waiting.size());
    waiting.resize(size > 0 ? static_cast<size_t>(size) : 0);
    sent = 0;
    if (size == 0 || (size < 0 && errno != EINTR && errno != EAGAIN)) ended = true;
  }
  // False: nobody takes it any more.
  bool Write() {
    ssize_t size = ::write(to, waiting.data() + sent, waiting.size() - sent);
    if (size < 0) return errno == EINTR || errno == EAGAIN;
    sent += static_cast<size_t>(size);
    if (sent == waiting.size()) waiting.clear();
    return true;
  }
};

}  // namespace

Result<void> Bridge(std::string early, sys::UniqueFd socket) {
  // These pipes are the relay's own: wsl.exe made them for it.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, socket.get()}) (void)sys::SetNonBlocking(fd);
  Way in{STDIN_FILENO, socket.get(), std::move(early)};
  Way out{socket.get(), STDOUT_FILENO};
  while (!out.closed) {
    const auto events = static_cast<short>((out.wants_to_read() ? POLLIN : 0) | (in.wants_to_write() ? POLLOUT : 0));
    // One that nothing is wanted of is left out: its hang-up would be told again and again.
    pollfd ready[3] = {
        {in.wants_to_read() ? STDIN_FILENO : -1, POLLIN, 0},
        {events != 0 ? socket.get() : -1, events, 0},
        {out.wants_to_write() ? STDOUT_FILENO : -1, POLLOUT, 0},
    };
    if (::poll(ready, 3, -1) < 0 && errno != EINTR) return sys::SystemError("wait for mxc.exe and mxcd", errno);
    if (ready[0].revents != 0) in.Read();
    if ((ready[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && out.wants_to_read()) out.Read();
    if ((ready[1].revents & POLLOUT) != 0 && in.wants_to_write() && !in.Write()) {
      in.waiting.clear();
      in.ended = true;
    }
    if (ready[2].revents != 0 && out.wants_to_write() && !out.Write()) break;  // mxc.exe is gone
    if (in.ended && !in.closed && in.waiting.empty()) {
      in.closed = true;
      ::shutdown(socket.get(), SHUT_WR);
    }
    out.closed = out.ended && out.waiting.empty();
  }
  return {};
}

}  // namespace mxc::relay
