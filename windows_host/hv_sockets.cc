#include "windows_host/hv_sockets.h"

// clang-format off
#include <winsock2.h>
#include <windows.h>
#include <hvsocket.h>  // which needs them
#include <objbase.h>
// clang-format on

#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

constexpr int kHyperV = 34;  // AF_HYPERV, which mingw's headers lack

Result<std::unique_ptr<HostSocket>> Make() {
  WSADATA data;
  if (const int error = ::WSAStartup(MAKEWORD(2, 2), &data); error != 0)
    return SystemError("start Windows' sockets", static_cast<uint32_t>(error));
  const SOCKET made =
      ::WSASocketW(kHyperV, SOCK_STREAM, HV_PROTOCOL_RAW, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (made == INVALID_SOCKET) return SystemError("make an hvsocket", static_cast<uint32_t>(::WSAGetLastError()));
  return std::make_unique<HostSocket>(made);
}

}  // namespace

bool HvSockets::Available() { return Make().ok(); }

Result<std::unique_ptr<HostSocket>> HvSockets::Connect(const std::string& vm_id, uint32_t port, uint32_t within_ms) {
  if (vm_id.empty())
    return Error(Code::kUnsupported, "the distribution doesn't know its virtual machine's id").WithHint("wsl --update");
  SOCKADDR_HV address{};
  address.Family = kHyperV;
  const std::wstring wide = MXC_TRY(Widen(vm_id));
  if (FAILED(::IIDFromString(wide.c_str(), &address.VmId)))
    return Error(Code::kInvalid, "the distribution gave an id of its virtual machine that is none");
  // A vsock port's service (Microsoft, "Make your own integration services"): 0000PORT-facb-11e6-bd58-64006a7986d3.
  address.ServiceId = {port, 0xfacb, 0x11e6, {0xbd, 0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3}};
  std::unique_ptr<HostSocket> socket = MXC_TRY(Make());
  const ULONG limit = within_ms, on = 1;
  ::setsockopt(socket->get(), HV_PROTOCOL_RAW, HVSOCKET_CONNECT_TIMEOUT, reinterpret_cast<const char*>(&limit),
               sizeof limit);
  ::setsockopt(socket->get(), HV_PROTOCOL_RAW, HVSOCKET_CONNECTED_SUSPEND, reinterpret_cast<const char*>(&on),
               sizeof on);
  if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = ::WSAGetLastError();
    Error failed = SystemError("connect to mxcd by hvsocket", static_cast<uint32_t>(error));
    if (error == WSAEACCES)
      return std::move(failed).WithHint("the virtual machine belongs to another user of this Windows");
    return failed;
  }
  return socket;
}

}  // namespace mxc::windows
