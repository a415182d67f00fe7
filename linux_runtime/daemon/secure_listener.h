// A listener that others can reach, too (hvsocket; TCP on loopback for tests): a connection is somebody's only once both sides have
// shown the key that was announced for it (shared/wire/handshake.h).
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "linux_runtime/daemon/nursery.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/wire/handshake.h"
#include "shared/wire/secret_stream.h"

namespace mxc::daemon {

class SecureListener {
 public:
  using OnConnection = std::function<void(const Account& account, sys::UniqueFd socket,
                                          std::unique_ptr<wire::SecretStream> stream, std::string plain)>;
  using OnRefusal = std::function<void(const Error& error)>;

  SecureListener(supervise::Loop& loop, OnConnection on_connection, OnRefusal on_refusal);
  ~SecureListener();
  SecureListener(const SecureListener&) = delete;
  SecureListener& operator=(const SecureListener&) = delete;

  // Binds vsock port `port`, which below 1024 takes CAP_NET_BIND_SERVICE in the first user namespace: nothing in a container can
  // have taken it. Only that peer is answered: the host is CID 2. Errors: kSystem; the kernel has no vsock.
  Result<void> ListenOnVsock(uint32_t port, uint32_t peer);
  // 127.0.0.1; 0: any port. Returns the port.
  Result<uint16_t> ListenOnLoopback(uint16_t port);

  // A connection with that id may come once, within `kValid`. Error (kRefused): the id is known already, or too many wait.
  Result<void> Announce(const std::string& id, wire::Secret secret, Account account);
  static constexpr std::chrono::seconds kValid{30};
  static constexpr size_t kMostAnnounced = 256, kMostHandshakes = 64;

 private:
  struct Announced {
    wire::Secret secret;
    Account account;
    supervise::Loop::TimerId timer = 0;
  };
  struct Pending {
    sys::UniqueFd socket;
    wire::Handshake handshake;
    Account account;
    supervise::Loop::TimerId timer = 0;
  };

  void Accept(int listener, bool vsock);
  void OnReadable(Pending& pending);
  void Drop(Pending& pending, const Error* why);

  supervise::Loop& loop_;
  OnConnection on_connection_;
  OnRefusal on_refusal_;
  uint32_t vsock_peer_ = 2;
  std::list<sys::UniqueFd> listeners_;
  std::map<std::string, Announced> announced_;
  std::list<Pending> pending_;
};

}  // namespace mxc::daemon
