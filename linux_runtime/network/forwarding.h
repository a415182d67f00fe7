// The host's forwarding between devices, switched on while a sandbox needs it and put back after the last one.
//
// A file in the state folder holds what the settings were. One lock in it is held by whoever changes it, another, shared,
// by each sandbox; the kernel takes them away from a process that is killed, so that the next one knows.
#pragma once

#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::network {

class Forwarding {
 public:
  Forwarding() = default;
  Forwarding(Forwarding&&) = default;
  Forwarding& operator=(Forwarding&&) = default;
  ~Forwarding() { Release(); }

  // path: the file, in the state folder; one for each network namespace that sandboxes are started in. v6: of IPv6, too; devices that learn their routes from router advertisements go on to do so,
  // which forwarding alone would end. Error: kSystem naming the setting.
  static Result<Forwarding> Hold(const std::string& path, bool v6);
  // Puts the settings back if no sandbox holds them any more: after killed ones. Nothing to do: nothing is done.
  static void PutBackUnheld(const std::string& path);

  // Whether the host forwarded nothing of IPv4 before, or, with v6, of IPv6.
  bool was_off() const { return was_off_; }
  void Release();

 private:
  sys::UniqueFd file_;
  bool was_off_ = false;
};

}  // namespace mxc::network
