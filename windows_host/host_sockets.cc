#include "windows_host/host_sockets.h"

// clang-format off
#include <winsock2.h>
#include <windows.h>
// clang-format on

#include <algorithm>
#include <utility>

namespace mxc::windows {

HostSocket::~HostSocket() { ::closesocket(socket_); }

std::string HostSocket::Read(uint32_t within_ms) {
  if (std::exchange(within_ms_, within_ms) != within_ms) {
    const DWORD limit = within_ms;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<const char*>(&limit), sizeof limit);
  }
  std::string bytes(64 << 10, '\0');
  const int size = ::recv(socket_, bytes.data(), static_cast<int>(bytes.size()), 0);
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

bool HostSocket::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const int sent = ::send(socket_, bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 64 << 10)), 0);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void HostSocket::ShutDown() { ::shutdown(socket_, SD_SEND); }

}  // namespace mxc::windows
