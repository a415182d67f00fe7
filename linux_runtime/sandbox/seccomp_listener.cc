#include "linux_runtime/sandbox/seccomp_listener.h"

#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr char kNotify[] = "SCMP_ACT_NOTIFY";
constexpr char kListenerPath[] = "/linux/seccomp/listenerPath: ";

// Through the descriptor, since a socket's address holds 107 bytes of path only (unix(7)).
Result<sys::UniqueFd> Connect(const std::string& path) {
  const std::string what = kListenerPath + std::string("connect to ") + path;
  sys::UniqueFd place(sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH));
  if (!place.valid()) return sys::SystemError(what, -place.get());
  sys::UniqueFd agent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!agent.valid()) return sys::SystemError(what, errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string through = "/proc/self/fd/" + std::to_string(place.get());
  std::memcpy(address.sun_path, through.c_str(), through.size() + 1);
  if (::connect(agent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return sys::SystemError(what, errno);
  return agent;
}

// The descriptor goes with the first bytes.
long SendSome(int agent, std::string_view text, int listener) {
  iovec data{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof listener)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (listener >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof listener);
    std::memcpy(CMSG_DATA(header), &listener, sizeof listener);
  }
  return sys::Check(::sendmsg(agent, &message, MSG_NOSIGNAL));
}

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

  sys::UniqueFd agent = MXC_TRY(Connect(list.listener_path));
  for (std::string_view rest = text; !rest.empty();) {
    long sent = SendSome(agent.get(), rest, listener);
    if (sent == -EINTR) continue;
    if (sent < 0)
      return sys::SystemError(kListenerPath + std::string("send the listener to ") + list.listener_path,
                              static_cast<int>(-sent));
    rest.remove_prefix(static_cast<size_t>(sent));
    listener = -1;
  }
  return {};
}

}  // namespace mxc::sandbox
