// How mxc.exe makes a connection to mxcd's own listener: hvsocket on Windows; loopback in tests, as Wine has no hvsocket.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shared/base/result.h"

namespace mxc::windows {

// Owns a SOCKET.
class HostSocket {
 public:
  explicit HostSocket(uintptr_t socket) : socket_(socket) {}
  ~HostSocket();
  HostSocket(const HostSocket&) = delete;
  HostSocket& operator=(const HostSocket&) = delete;

  uintptr_t get() const { return socket_; }
  // At least a byte within `within_ms` (0: without limit); "": it ended, failed or was late.
  std::string Read(uint32_t within_ms);
  bool Write(std::string_view bytes);  // all of it
  void ShutDown();                     // no more is written

 private:
  uintptr_t socket_;
  uint32_t within_ms_ = 0;
};

class HostSockets {
 public:
  virtual ~HostSockets() = default;
  // Whether this machine makes such sockets at all.
  virtual bool Available() = 0;
  // vm_id: GUID in braces; "": unknown. Errors: kUnsupported, kSystem.
  virtual Result<std::unique_ptr<HostSocket>> Connect(const std::string& vm_id, uint32_t port, uint32_t within_ms) = 0;
};

}  // namespace mxc::windows
