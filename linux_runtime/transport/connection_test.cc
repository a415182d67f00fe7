#include "linux_runtime/transport/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "doctest/doctest.h"

namespace mxc::transport {
namespace {

using Clock = std::chrono::steady_clock;

// A socket whose last close waits for so many seconds: nobody takes what it has sent.
struct Slow {
  explicit Slow(int seconds) {
    const sys::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int small = 2048;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    peer.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::string block(65536, 'x');
    while (::send(socket.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    const linger wait{1, seconds};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait);
  }
  sys::UniqueFd socket, peer;
};

TEST_CASE("What closes slowly is closed elsewhere, and nothing of ours stays open there") {
  Slow slow(30);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const sys::UniqueFd read(ends[0]);
  sys::UniqueFd write(ends[1]);
  const auto begin = Clock::now();
  std::vector<sys::UniqueFd> descriptors;
  descriptors.push_back(std::move(slow.socket));
  CloseElsewhere(std::move(descriptors));
  CHECK(Clock::now() - begin < std::chrono::seconds(2));
  // The other one still waits in its close; this pipe has no writer but us.
  write.reset();
  pollfd ended{read.get(), POLLIN, 0};
  CHECK(::poll(&ended, 1, 2000) == 1);
  CHECK((ended.revents & POLLHUP) != 0);
}

TEST_CASE("Descriptors that a stranger passes end his connection, whether the kernel keeps them out or not") {
  for (const bool guarded : {true, false}) {
    CAPTURE(guarded);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    const sys::UniqueFd theirs(pair[1]);
    Connection connection{sys::UniqueFd(pair[0]), sys::UniqueFd()};
    if (guarded) connection.Guard();
    supervise::Loop loop;
    std::optional<Error> why;
    connection.Listen({.on_closed = [&](std::optional<Error> error) {
      why = std::move(error);
      loop.Stop();
    }});
    connection.Attach(loop);

    Slow slow(30);
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    *reinterpret_cast<int*>(CMSG_DATA(header)) = slow.socket.get();
    if (::sendmsg(theirs.get(), &message, MSG_NOSIGNAL) < 0) {
      CHECK(guarded);
      CHECK(errno == EPERM);
      const linger none{1, 0};
      ::setsockopt(slow.socket.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
      continue;
    }
    slow.socket.reset();  // the last one is in the other socket
    const auto begin = Clock::now();
    loop.After(std::chrono::milliseconds(5000), [&] { loop.Stop(); });
    REQUIRE(loop.Run().ok());
    CHECK(Clock::now() - begin < std::chrono::seconds(2));
    REQUIRE(why);
    CHECK(why->message().find("descriptors") != std::string::npos);
  }
}

TEST_CASE("A flood is taken a turn at a time, and all of it") {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  const sys::UniqueFd theirs(pair[1]);
  constexpr int kMessages = 5000;
  Connection connection{sys::UniqueFd(pair[0]), sys::UniqueFd()};
  supervise::Loop loop;
  int taken = 0, most_between = 0, others = 0, before = 0;
  connection.Listen({
      .on_message = [&](std::string_view) -> Result<void> {
        ++taken;
        // Answers that nobody reads for a while.
        connection.mux().SendMessage(std::string(1000, 'x'));
        if (taken == kMessages) loop.Stop();
        return {};
      },
  });
  connection.Attach(loop);
  std::string bytes;
  wire::AppendFrame(wire::FrameType::kHello, 0, "{}", bytes);
  for (int i = 0; i < kMessages; ++i) wire::AppendFrame(wire::FrameType::kMessage, 0, "{}", bytes);
  size_t sent = 0, received = 0;
  std::function<void()> other = [&] {
    ++others;
    most_between = std::max(most_between, taken - before);
    before = taken;
    while (sent < bytes.size()) {
      const ssize_t size = ::send(theirs.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size <= 0) break;
      sent += static_cast<size_t>(size);
    }
    char buffer[65536];
    if (others > 20) {
      for (ssize_t size; (size = ::recv(theirs.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
        received += static_cast<size_t>(size);
    }
    loop.After(std::chrono::milliseconds(0), other);
  };
  other();
  loop.After(std::chrono::milliseconds(20'000), [&] { loop.Stop(); });
  REQUIRE(loop.Run().ok());
  CHECK(taken == kMessages);
  CHECK(most_between <= 4 * wire::Multiplexer::kFramesATurn);
  CHECK(received > 1'000'000);
  CHECK(connection.buffered() < 4 << 20);
}

}  // namespace
}  // namespace mxc::transport
