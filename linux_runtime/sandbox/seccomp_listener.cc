#include "linux_runtime/sandbox/seccomp_listener.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "linux_runtime/sys/unix_socket.h"

namespace mxc::sandbox {
namespace {

constexpr char kNotify[] = "SCMP_ACT_NOTIFY";

}  // namespace

Result<void> CheckListener(const oci::LinuxSeccomp& list) {
  if (list.listener_path.empty()) {
    return Error(Code::kInvalid,
                 "/linux/seccomp/listenerPath: missing, and SCMP_ACT_NOTIFY needs somebody who answers");
  }
  if (list.default_action == kNotify) {
    return Error(Code::kInvalid,
                 "/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY for every call would stop the container before "
                 "anybody can answer");
  }
  for (size_t index = 0; index < list.syscalls.size(); ++index) {
    const oci::SeccompSyscall& entry = list.syscalls[index];
    if (entry.action != kNotify || std::find(entry.names.begin(), entry.names.end(), "sendmsg") == entry.names.end())
      continue;
    return Error(Code::kInvalid, "/linux/seccomp/syscalls/" + std::to_string(index) +
                                     "/names: sendmsg can't be notified: the "
                                     "listener itself is passed on with it");
  }
  return {};
}

Result<void> SendSeccompListener(const oci::LinuxSeccomp& list, const ListenerState& container, int listener) {
  nlohmann::ordered_json state = nlohmann::ordered_json::parse(container.state, nullptr, false);
  if (!state.is_object()) return Error(Code::kInvalid, "the container's state is no JSON object");
  nlohmann::ordered_json message;
  message["ociVersion"] = container.oci_version;
  message["fds"] = {"seccompFd"};
  message["pid"] = container.pid;
  if (!list.listener_metadata.empty()) message["metadata"] = list.listener_metadata;
  message["state"] = std::move(state);
  const std::string text = message.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);

  sys::UniqueFd agent = MXC_TRY_AS("/linux/seccomp/listenerPath", sys::ConnectUnixSocket(list.listener_path));
  return sys::SendWithDescriptor(agent.get(), text, listener).WithContext("/linux/seccomp/listenerPath");
}

}  // namespace mxc::sandbox
