// Sockets of Windows' hypervisor (AF_HYPERV), by which a process of the user who owns the WSL virtual machine reaches a vsock port in it.
#pragma once

#include "windows_host/host_sockets.h"

namespace mxc::windows {

class HvSockets : public HostSockets {
 public:
  bool Available() override;
  Result<std::unique_ptr<HostSocket>> Connect(const std::string& vm_id, uint32_t port, uint32_t within_ms) override;
};

}  // namespace mxc::windows
