// mxc.exe for tests under Wine, which has no hvsocket: mxcd's listener on loopback is in its place.
// clang-format off
#include <winsock2.h>
#include <windows.h>
// clang-format on

#include "windows_host/host_sockets.h"
#include "windows_host/program.h"
#include "windows_host/system_error.h"

extern "C" {
int _dowildcard = 0;
}

namespace mxc::windows {
namespace {

class LoopbackSockets : public HostSockets {
 public:
  bool Available() override { return true; }
  Result<std::unique_ptr<HostSocket>> Connect(const std::string&, uint32_t port, uint32_t) override {
    WSADATA data;
    if (::WSAStartup(MAKEWORD(2, 2), &data) != 0) return Error(Code::kSystem, "no sockets");
    auto socket = std::make_unique<HostSocket>(::WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    address.sin_port = ::htons(static_cast<uint16_t>(port));
    if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return SystemError("connect", static_cast<uint32_t>(::WSAGetLastError()));
    return socket;
  }
};

}  // namespace
}  // namespace mxc::windows

int wmain(int argc, wchar_t** argv) {
  mxc::windows::LoopbackSockets sockets;
  return mxc::windows::RunProgram(argc, argv, sockets);
}
