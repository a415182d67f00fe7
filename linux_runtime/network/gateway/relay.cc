#include "linux_runtime/network/gateway/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

namespace mxc::network {
namespace {

constexpr size_t kSpliceBytes = size_t{1} << 20;
constexpr int kRounds = 16;  // of one connection, before others have their turn
constexpr size_t kMaxFreePipes = 64;
constexpr size_t kFirstBytes = 4096;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

ssize_t Splice(int from, int to, size_t size) {
  return ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

}  // namespace

PipePool::Pipe PipePool::Take() {
  Pipe pipe;
  if (!free_.empty()) {
    pipe = std::move(free_.back());
    free_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
    pipe.read.reset(ends[0]);
    pipe.write.reset(ends[1]);
    ::fcntl(ends[0], F_SETPIPE_SZ, kSpliceBytes);  // as far as the user's share goes
  }
  return pipe;
}

void PipePool::Give(Pipe pipe) {
  if (pipe.read.valid() && free_.size() < kMaxFreePipes) free_.push_back(std::move(pipe));
}

void CloseHard(sys::UniqueFd& socket) {
  const linger now{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket.reset();
}

Relay::Relay(sys::UniqueFd client, sys::UniqueFd server, Poller& poller, PipePool& pipes, OnFirstBytes look,
             std::function<void()> on_end)
    : client_(std::move(client)),
      server_(std::move(server)),
      poller_(poller),
      pipes_(pipes),
      look_(std::move(look)),
      on_end_(std::move(on_end)),
      inspecting_(look_ != nullptr) {
  up_.from = down_.to = client_.get();
  up_.to = down_.from = server_.get();
  client_events_ = server_events_ = EPOLLIN;
  poller_.Add(client_.get(), client_events_, [this](uint32_t events) { Ready(client_.get(), events); });
  poller_.Add(server_.get(), server_events_, [this](uint32_t events) { Ready(server_.get(), events); });
}

Relay::~Relay() {
  poller_.Remove(client_.get());
  poller_.Remove(server_.get());
}

void Relay::Reset() {
  poller_.Remove(client_.get());
  poller_.Remove(server_.get());
  CloseHard(client_);
  CloseHard(server_);
  on_end_();
}

void Relay::Ready(int fd, uint32_t events) {
  if ((events & EPOLLERR) != 0) return Reset();
  // Closed both ways; poll would tell it for ever while the other side is slow.
  bool& watched = fd == client_.get() ? client_watched_ : server_watched_;
  if ((events & EPOLLHUP) != 0 && std::exchange(watched, false)) poller_.Remove(fd);
  if (inspecting_ && !Inspect()) return Reset();
  if (inspecting_ && !client_watched_) return Reset();  // nobody will tell of what comes
  // Only the direction that the event is about, unless nothing more comes of it.
  const bool in = (events & EPOLLIN) != 0, out = (events & EPOLLOUT) != 0, both = (events & EPOLLHUP) != 0;
  const bool client = fd == client_.get();
  if (!inspecting_ && (both || (client ? in : out)) && !Pump(up_)) return Reset();
  if ((both || (client ? out : in)) && !Pump(down_)) return Reset();
  if (up_.shut && down_.shut) return on_end_();
  Update();
}

bool Relay::Inspect() {
  char bytes[kFirstBytes];
  const ssize_t size = ::recv(client_.get(), bytes, sizeof bytes, 0);
  if (size < 0) return WouldBlock();
  first_.append(bytes, static_cast<size_t>(size));
  const Look seen = look_(first_, size == 0);
  if (seen == Look::kRefuse) return false;
  inspecting_ = seen == Look::kMore && size != 0;
  return true;
}

bool Relay::Pump(Direction& d) {
  if (&d == &up_ && !first_.empty()) {
    const ssize_t sent = ::send(d.to, first_.data(), first_.size(), MSG_NOSIGNAL);
    if (sent < 0) return WouldBlock();
    first_.erase(0, static_cast<size_t>(sent));
    d.moved += static_cast<uint64_t>(sent);
    if (!first_.empty()) return true;
  }
  // One that isn't watched any more has all that it will ever have, and nobody comes back for what stays.
  const bool watched = d.from == client_.get() ? client_watched_ : server_watched_;
  d.waits = false;
  for (int round = 0; round < kRounds || !watched; ++round) {
    if (d.filled == 0 && !d.ended) {
      if (!d.pipe.read.valid()) d.pipe = pipes_.Take();
      if (!d.pipe.read.valid()) {
        if (!Copy(d)) return false;
        break;
      }
      const ssize_t got = Splice(d.from, d.pipe.write.get(), kSpliceBytes);
      if (got < 0 && !WouldBlock()) return false;
      if (got < 0) break;
      d.ended = got == 0;
      d.filled = static_cast<size_t>(got);
    }
    if (d.filled == 0) break;
    const ssize_t put = Splice(d.pipe.read.get(), d.to, d.filled);
    if (put < 0 && !WouldBlock()) return false;
    if (put < 0) break;
    d.filled -= static_cast<size_t>(put);
    d.moved += static_cast<uint64_t>(put);
  }
  if (d.filled == 0 && d.pipe.read.valid()) pipes_.Give(std::exchange(d.pipe, {}));
  if (d.ended && d.filled == 0 && !d.shut) {
    ::shutdown(d.to, SHUT_WR);
    d.shut = true;
  }
  return true;
}

// Without a pipe, when there are no more descriptors: some bytes, seen first and taken once they are sent.
bool Relay::Copy(Direction& d) {
  d.waits = false;
  for (int round = 0; round < kRounds; ++round) {
    char bytes[kFirstBytes];
    const ssize_t got = ::recv(d.from, bytes, sizeof bytes, MSG_PEEK);
    if (got < 0) return WouldBlock();
    if (got == 0) {
      d.ended = true;
      break;
    }
    const ssize_t put = ::send(d.to, bytes, static_cast<size_t>(got), MSG_NOSIGNAL);
    if (put < 0) {
      d.waits = WouldBlock();
      return d.waits;
    }
    d.moved += static_cast<uint64_t>(put);
    if (::recv(d.from, bytes, static_cast<size_t>(put), 0) != put) return false;
  }
  return true;
}

void Relay::Update() {
  const bool up_waits = up_.filled != 0 || up_.waits || (!inspecting_ && !first_.empty());
  const bool down_waits = down_.filled != 0 || down_.waits;
  const auto events = [](bool reads, bool writes) {
    return (reads ? uint32_t{EPOLLIN} : 0) | (writes ? uint32_t{EPOLLOUT} : 0);
  };
  const uint32_t client = events(!up_.ended && !up_waits, down_waits);
  const uint32_t server = events(!down_.ended && !down_waits, up_waits);
  if (client_watched_ && client != client_events_) poller_.Change(client_.get(), client_events_ = client);
  if (server_watched_ && server != server_events_) poller_.Change(server_.get(), server_events_ = server);
}

}  // namespace mxc::network
