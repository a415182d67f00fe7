#include "linux_runtime/network/gateway/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/network/gateway/tls_hello.h"

namespace mxc::network {
namespace {

constexpr size_t kSpliceBytes = size_t{1} << 20;
constexpr int kRounds = 16;  // of one connection, before others have their turn
constexpr size_t kMaxFreePipes = 64;
constexpr size_t kBytesAtOnce = 4096;

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

ssize_t Splice(int from, int to, size_t size) {
  return ::splice(from, nullptr, to, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

}  // namespace

// ---- pipes ----

PipePool::Pipe PipePool::Take() {
  Pipe pipe;
  if (!free_.empty()) {
    pipe = std::move(free_.back());
    free_.pop_back();
    return pipe;
  }
  int ends[2];
  if (taken_ >= most_ || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return pipe;
  ++taken_;
  pipe.read.reset(ends[0]);
  pipe.write.reset(ends[1]);
  ::fcntl(ends[0], F_SETPIPE_SZ, kSpliceBytes);  // as far as the user's share goes
  return pipe;
}

void PipePool::Give(Pipe pipe) {
  if (!pipe.read.valid()) return;
  if (free_.size() >= kMaxFreePipes) return Discard(std::move(pipe));
  free_.push_back(std::move(pipe));
}

void PipePool::Discard(Pipe pipe) {
  if (pipe.read.valid()) --taken_;
}

void CloseHard(sys::UniqueFd& socket) {
  const linger now{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket.reset();
}

// ---- the connection ----

Relay::Relay(sys::UniqueFd client, sys::UniqueFd server, Poller& poller, PipePool& pipes,
             std::optional<HelloInspection> inspection, std::function<void()> on_end)
    : client_(std::move(client)),
      server_(std::move(server)),
      poller_(poller),
      pipes_(pipes),
      inspection_(std::move(inspection)),
      on_end_(std::move(on_end)) {
  up_.from = down_.to = client_.get();
  up_.to = down_.from = server_.get();
  client_events_ = server_events_ = EPOLLIN;
  poller_.Add(client_.get(), client_events_, [this](uint32_t events) { Ready(true, events); });
  poller_.Add(server_.get(), server_events_, [this](uint32_t events) { Ready(false, events); });
}

Relay::~Relay() {
  poller_.Remove(client_.get());
  poller_.Remove(server_.get());
  pipes_.Discard(std::move(up_.pipe));
  pipes_.Discard(std::move(down_.pipe));
}

void Relay::Limit(uint64_t* left, std::function<void()> on_spent) {
  left_ = left;
  on_spent_ = std::move(on_spent);
}

void Relay::Reset() {
  poller_.Remove(client_.get());
  poller_.Remove(server_.get());
  CloseHard(client_);
  CloseHard(server_);
  on_end_();
}

void Relay::Ready(bool client, uint32_t events) {
  if ((events & EPOLLERR) != 0) return Reset();
  // Closed both ways; poll would tell it for ever while the other side is slow.
  const bool hung_up = (events & EPOLLHUP) != 0;
  if (hung_up && std::exchange(client ? client_watched_ : server_watched_, false)) {
    poller_.Remove(client ? client_.get() : server_.get());
  }
  const bool in = hung_up || (events & EPOLLIN) != 0, out = hung_up || (events & EPOLLOUT) != 0;
  if (inspection_ && in && !Inspect(client)) return Reset();
  if (inspection_ && !client_watched_) return Reset();  // nobody will tell of what comes
  // Only the direction that the event is about.
  if ((client ? in : out) && !Pump(up_)) return Reset();
  if ((client ? out : in) && !Pump(down_)) return Reset();
  if (up_.shut && down_.shut) return on_end_();
  Update();
}

// ---- inspection ----

bool Relay::Inspect(bool client) {
  if (waits_for_server_ == client) return true;  // the other side has to speak
  if (client) return HoldClient();
  return ListenToServer();
}

bool Relay::HoldClient() {
  char bytes[kBytesAtOnce];
  const ssize_t size = ::recv(client_.get(), bytes, sizeof bytes, 0);
  if (size < 0) return WouldBlock();
  if (size > 0 && Allowed(up_, static_cast<size_t>(size)) < static_cast<size_t>(size)) {
    on_spent_();
    return false;
  }
  Took(up_, static_cast<size_t>(size));
  held_.append(bytes, static_cast<size_t>(size));
  return Apply(inspection_->OnClient(held_, size == 0));
}

// What the server says goes on as it comes.
bool Relay::ListenToServer() {
  char bytes[kBytesAtOnce];
  const ssize_t size = ::recv(server_.get(), bytes, sizeof bytes, 0);
  if (size < 0) return WouldBlock();
  down_.ahead.append(bytes, static_cast<size_t>(size));
  server_first_.append(bytes, static_cast<size_t>(size));
  server_first_.resize(std::min(server_first_.size(), kMaxServerHello));
  if (size == 0) return Apply({.done = true});
  if (!Apply(inspection_->OnServer(server_first_))) return false;
  const bool second = inspection_ && !waits_for_server_ && !held_.empty();
  return !second || Apply(inspection_->OnClient(held_, false));
}

bool Relay::Apply(const Seen& seen) {
  if (seen.refuse) return false;
  const size_t released = seen.done ? held_.size() : seen.release;
  up_.ahead.append(held_, 0, released);
  held_.erase(0, released);
  waits_for_server_ = seen.wait_for_server;
  if (seen.done) inspection_.reset();
  return true;
}

// ---- bytes ----

// How much of `size` bytes may be taken.
size_t Relay::Allowed(const Direction& d, size_t size) const {
  if (&d != &up_ || left_ == nullptr) return size;
  return static_cast<size_t>(std::min<uint64_t>(size, *left_));
}

void Relay::Took(const Direction& d, size_t size) {
  if (&d == &up_ && left_ != nullptr) *left_ -= std::min<uint64_t>(*left_, size);
}

// Nothing more may be sent. False: somebody tries to.
bool Relay::AtEnd(Direction& d) {
  char byte;
  const ssize_t size = ::recv(d.from, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size > 0) on_spent_();
  d.ended = size == 0;
  return size == 0 || (size < 0 && WouldBlock());
}

bool Relay::SendAhead(Direction& d) {
  while (!d.ahead.empty()) {
    const ssize_t sent = ::send(d.to, d.ahead.data(), d.ahead.size(), MSG_NOSIGNAL);
    if (sent < 0) return WouldBlock();
    d.ahead.erase(0, static_cast<size_t>(sent));
    d.moved += static_cast<uint64_t>(sent);
  }
  return true;
}

bool Relay::Pump(Direction& d) {
  if (!SendAhead(d)) return false;
  // What an inspection reads is read by it.
  const bool inspected = inspection_ && (&d == &up_ || waits_for_server_);
  if (!d.ahead.empty() || inspected) return true;
  // One that isn't watched any more has all that it will ever have, and nobody comes back for what stays.
  const bool watched = &d == &up_ ? client_watched_ : server_watched_;
  d.waits = false;
  for (int round = 0; round < kRounds || !watched; ++round) {
    if (d.filled == 0 && !d.ended) {
      const size_t most = Allowed(d, kSpliceBytes);
      if (most == 0) {
        if (!AtEnd(d)) return false;
        break;
      }
      if (!d.pipe.read.valid()) d.pipe = pipes_.Take();
      if (!d.pipe.read.valid()) {
        if (!Copy(d)) return false;
        break;
      }
      const ssize_t got = Splice(d.from, d.pipe.write.get(), most);
      if (got < 0 && !WouldBlock()) return false;
      if (got < 0) break;
      d.ended = got == 0;
      d.filled = static_cast<size_t>(got);
      Took(d, d.filled);
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

// Without a pipe, when there are no more of them: some bytes, seen first and taken once they are sent.
bool Relay::Copy(Direction& d) {
  const bool watched = &d == &up_ ? client_watched_ : server_watched_;
  for (int round = 0; round < kRounds || !watched; ++round) {
    char bytes[kBytesAtOnce];
    const size_t most = Allowed(d, sizeof bytes);
    if (most == 0) return AtEnd(d);
    const ssize_t got = ::recv(d.from, bytes, most, MSG_PEEK);
    if (got < 0) return WouldBlock();
    d.ended = got == 0;
    if (d.ended) return true;
    const ssize_t put = ::send(d.to, bytes, static_cast<size_t>(got), MSG_NOSIGNAL);
    if (put < 0) {
      d.waits = WouldBlock();
      return d.waits;
    }
    d.moved += static_cast<uint64_t>(put);
    Took(d, static_cast<size_t>(put));
    if (::recv(d.from, bytes, static_cast<size_t>(put), 0) != put) return false;
  }
  return true;
}

void Relay::Update() {
  const auto waits = [](const Direction& d) { return d.filled != 0 || d.waits || !d.ahead.empty(); };
  const auto events = [](bool reads, bool writes) {
    return (reads ? uint32_t{EPOLLIN} : 0) | (writes ? uint32_t{EPOLLOUT} : 0);
  };
  const bool reads_client = !up_.ended && !waits(up_) && !waits_for_server_;
  const uint32_t client = events(reads_client, waits(down_));
  const uint32_t server = events(!down_.ended && !waits(down_), waits(up_));
  if (client_watched_ && client != client_events_) poller_.Change(client_.get(), client_events_ = client);
  if (server_watched_ && server != server_events_) poller_.Change(server_.get(), server_events_ = server);
}

}  // namespace mxc::network
