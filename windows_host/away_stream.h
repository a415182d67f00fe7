// The wire over a socket of the host's: encrypted, with the one-use key that went over wsl.exe's pipe (shared/wire/handshake.h).
#pragma once

#include <memory>
#include <string>

#include "shared/base/result.h"
#include "shared/wire/handshake.h"
#include "windows_host/host_sockets.h"

namespace mxc::windows {

class AwayStream {
 public:
  // Errors: who listens doesn't know the key, or says nothing for `within_ms`.
  static Result<std::unique_ptr<AwayStream>> Open(std::unique_ptr<HostSocket> socket, std::string_view id,
                                                  wire::Secret secret, uint32_t within_ms);

  // One thread may read while another writes.
  // At least a byte, blocking; "": it ended. A connection that was cut off, or changed on its way, ends too.
  std::string Read();
  bool Write(std::string_view bytes);
  void Finish();

 private:
  explicit AwayStream(std::unique_ptr<HostSocket> socket) : socket_(std::move(socket)) {}

  std::unique_ptr<HostSocket> socket_;
  std::unique_ptr<wire::SecretStream> stream_;
  std::string early_;  // came behind the handshake
};

}  // namespace mxc::windows
