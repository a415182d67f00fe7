#include "linux_runtime/daemon/secure_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/sys/error.h"

namespace mxc::daemon {
namespace {

constexpr std::chrono::seconds kHandshakeWithin{10};
constexpr int kVsock = 40;  // AF_VSOCK

// The kernel writes the peer's CID: a process in the machine can't be the host. Before Linux 5.5 a host's was "any".
bool IsPeer(int socket, uint32_t cid) {
  sockaddr_vm peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  return peer.svm_family == kVsock &&
         (peer.svm_cid == cid || (cid == VMADDR_CID_HOST && peer.svm_cid == VMADDR_CID_ANY));
}

}  // namespace

SecureListener::SecureListener(supervise::Loop& loop, OnConnection on_connection, OnRefusal on_refusal)
    : loop_(loop), on_connection_(std::move(on_connection)), on_refusal_(std::move(on_refusal)) {}

SecureListener::~SecureListener() {
  for (const sys::UniqueFd& listener : listeners_) loop_.Forget(listener.get());
  for (const Pending& pending : pending_) {
    loop_.Forget(pending.socket.get());
    loop_.Cancel(pending.timer);
  }
  for (auto& [id, announced] : announced_) {
    loop_.Cancel(announced.timer);
    wire::Wipe(announced.secret.key);
  }
}

Result<void> SecureListener::ListenOnVsock(uint32_t port, uint32_t peer) {
  vsock_peer_ = peer;
  sys::UniqueFd socket(::socket(kVsock, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid())
    return sys::SystemError("make a vsock socket", errno).WithHint("this kernel has no vsock; pipes work without it");
  sockaddr_vm address{};
  address.svm_family = kVsock;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = port;
  // A full queue would look like nobody to the host.
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 128) != 0) {
    return sys::SystemError("listen on vsock port " + std::to_string(port), errno);
  }
  const int fd = socket.get();
  listeners_.push_back(std::move(socket));
  loop_.Watch(fd, POLLIN, [this, fd](short) { Accept(fd, true); });
  return {};
}

Result<uint16_t> SecureListener::ListenOnLoopback(uint16_t port) {
  sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t size = sizeof address;
  if (!socket.valid() || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 128) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return sys::SystemError("listen on 127.0.0.1:" + std::to_string(port), errno);
  }
  const int fd = socket.get();
  listeners_.push_back(std::move(socket));
  loop_.Watch(fd, POLLIN, [this, fd](short) { Accept(fd, false); });
  return ntohs(address.sin_port);
}

Result<void> SecureListener::Announce(const std::string& id, wire::Secret secret, Account account) {
  if (announced_.size() >= kMostAnnounced)
    return Error(Code::kRefused, "too many connections are announced and haven't come");
  if (announced_.count(id) != 0) return Error(Code::kRefused, "a connection with this id is announced already");
  Announced& kept = announced_[id] = {std::move(secret), std::move(account), 0};
  kept.timer = loop_.After(kValid, [this, id] {
    wire::Wipe(announced_[id].secret.key);
    announced_.erase(id);
  });
  return {};
}

void SecureListener::Accept(int listener, bool vsock) {
  sys::UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  if (vsock && !IsPeer(socket.get(), vsock_peer_)) {
    return on_refusal_(
        Error(Code::kRefused, "a process of this machine, not its host, connected to the port of the host"));
  }
  // Who has had the longest to say who it is makes room: silent ones in numbers shut nobody out, who says it at once.
  if (pending_.size() >= kMostHandshakes) {
    const Error crowded(Code::kRefused, "a connection did not say who it is before many others came");
    Drop(pending_.front(), &crowded);
  }
  Pending& pending = pending_.emplace_back();
  pending.socket = std::move(socket);
  Pending* const self = &pending;
  pending.handshake = wire::Handshake::Server([this, self](std::string_view id) -> std::optional<wire::Secret> {
    const auto found = announced_.find(std::string(id));
    if (found == announced_.end()) return std::nullopt;
    loop_.Cancel(found->second.timer);
    std::optional<wire::Secret> secret(found->second.secret);
    self->account = std::move(found->second.account);
    wire::Wipe(found->second.secret.key);
    announced_.erase(found);
    return secret;
  });
  const Error late(Code::kRefused, "a connection did not say who it is in time");
  pending.timer = loop_.After(kHandshakeWithin, [this, self, late] { Drop(*self, &late); });
  loop_.Watch(pending.socket.get(), POLLIN, [this, self](short) { OnReadable(*self); });
}

void SecureListener::Drop(Pending& pending, const Error* why) {
  loop_.Forget(pending.socket.get());
  loop_.Cancel(pending.timer);
  if (why != nullptr) on_refusal_(*why);
  pending_.remove_if([&](const Pending& one) { return &one == &pending; });
}

void SecureListener::OnReadable(Pending& pending) {
  char buffer[4096];
  const ssize_t size = ::read(pending.socket.get(), buffer, sizeof buffer);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    const Error gone(Code::kRefused, "a connection ended before it said who it is");
    return Drop(pending, &gone);
  }
  Result<void> received = pending.handshake.Receive({buffer, static_cast<size_t>(size)});
  if (!received.ok()) return Drop(pending, &received.error());
  if (const std::string answer = pending.handshake.TakeOutput(); !answer.empty()) {
    // A hundred bytes into an empty buffer.
    if (::send(pending.socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(answer.size())) {
      const Error gone(Code::kRefused, "a connection took no answer");
      return Drop(pending, &gone);
    }
  }
  if (!pending.handshake.done()) return;
  std::string plain;
  std::unique_ptr<wire::SecretStream> stream = pending.handshake.TakeStream(plain);
  loop_.Forget(pending.socket.get());
  sys::UniqueFd socket = std::move(pending.socket);
  const Account account = std::move(pending.account);
  Drop(pending, nullptr);
  on_connection_(account, std::move(socket), std::move(stream), std::move(plain));
}

}  // namespace mxc::daemon
