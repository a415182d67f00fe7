#include "linux_runtime/network/gateway/exchange.h"

#include <errno.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

namespace mxc::network {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};  // with one server
constexpr size_t kRounds = 2;                         // through all servers
constexpr size_t kMaxAnswer = 65535;
constexpr uint16_t kDnsPort = 53;

// Keeps itself alive until it is done.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(const std::vector<Address>& servers, Poller& poller, Exchange exchange)
      : servers_(servers), poller_(poller), exchange_(std::move(exchange)) {
    if (exchange_.stream) {
      const size_t size = exchange_.message.size();
      exchange_.message.insert(0, {static_cast<char>(size >> 8), static_cast<char>(size)});
    }
  }
  ~Asking() { Close(); }

  void Next() {
    Close();
    if (servers_.empty() || tries_ == kRounds * servers_.size()) return Done(std::nullopt);
    sockaddr_storage to;
    const socklen_t size = servers_[tries_++ % servers_.size()].Fill(kDnsPort, to);
    // A socket for each query: its port is part of what a forged answer would have to guess.
    const int type = exchange_.stream ? SOCK_STREAM : SOCK_DGRAM;
    socket_.reset(::socket(to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) return Done(std::nullopt);
    const bool connected = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0;
    if (!connected && errno != EINPROGRESS) return Next();
    if (!exchange_.stream && !Send()) return Next();
    received_.clear();
    poller_.Add(socket_.get(), exchange_.stream ? EPOLLOUT : EPOLLIN,
                [self = shared_from_this()](uint32_t events) { self->Ready(events); });
    timer_ = poller_.After(kPatience, [self = shared_from_this()] { self->Next(); });
  }

 private:
  bool Send() {
    const std::string& message = exchange_.message;
    return ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(message.size());
  }

  void Close() {
    poller_.Cancel(timer_);
    if (socket_.valid()) poller_.Remove(socket_.get());
    socket_.reset();
  }

  void Done(std::optional<std::string> answer) {
    Close();
    if (auto done = std::exchange(exchange_.done, nullptr)) done(std::move(answer));
  }

  void Ready(uint32_t events) {
    if (exchange_.stream && (events & EPOLLOUT) != 0) {
      if (!Send()) return Next();
      return poller_.Change(socket_.get(), EPOLLIN);
    }
    char bytes[kMaxAnswer];
    const ssize_t size = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return Next();
    if (!exchange_.stream) return Look({bytes, static_cast<size_t>(size)});
    received_.append(bytes, static_cast<size_t>(size));
    if (received_.size() < 2) return;
    const size_t wanted =
        static_cast<size_t>(static_cast<uint8_t>(received_[0])) << 8 | static_cast<uint8_t>(received_[1]);
    if (received_.size() >= wanted + 2) Look(std::string_view(received_).substr(2, wanted));
  }

  void Look(std::string_view answer) {
    switch (exchange_.hear(answer)) {
      case Heard::kIgnore:
        return exchange_.stream ? Next() : void();
      case Heard::kNext:
        return Next();
      case Heard::kTake:
        return Done(std::string(answer));
    }
  }

  const std::vector<Address>& servers_;
  Poller& poller_;
  Exchange exchange_;
  sys::UniqueFd socket_;
  Poller::TimerId timer_;
  size_t tries_ = 0;
  std::string received_;
};

}  // namespace

void Ask(const std::vector<Address>& servers, Poller& poller, Exchange exchange) {
  std::make_shared<Asking>(servers, poller, std::move(exchange))->Next();
}

}  // namespace mxc::network
