// SCMP_ACT_NOTIFY of a bundle: an agent outside answers the container's system calls. The container's first process
// installs the filter before it counts as created and passes the listener to its parent, which hands it to the agent here.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

// Whether a list that notifies can be served. Errors (kInvalid, naming the field): no listenerPath; every call would be
// notified, or sendmsg(2), with which the listener itself is passed on before anybody can answer.
Result<void> CheckListener(const oci::LinuxSeccomp& list);

// What the agent is told of the container, beside the list's listenerMetadata.
struct ListenerState {
  std::string oci_version;
  int pid = -1;       // as this process counts
  std::string state;  // the container's state (runtime.md), a JSON object as text
};

// Connects to list.listener_path and sends the container process state with `listener` (config-linux.md, "The Container
// Process State"), one connection for one state. `listener` stays the caller's, who closes it: the agent's copy alone
// then keeps the filter answered, and when the agent goes, notified calls get ENOSYS.
// Errors: kSystem naming /linux/seccomp/listenerPath; kInvalid when `state` is no JSON object.
Result<void> SendSeccompListener(const oci::LinuxSeccomp& list, const ListenerState& container, int listener);

}  // namespace mxc::sandbox
