#include "linux_runtime/network/gateway/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "linux_runtime/network/gateway/address.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/unix_socket.h"

namespace mxc::network {
namespace {

constexpr int kBacklog = 1024;
constexpr Address kLoopbackV4{false, {127, 0, 0, 1}};
constexpr Address kLoopbackV6{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// A bound, non-blocking socket that listens; or -errno. anyway: also while the address isn't there yet.
int Listen(int type, const Address& address, uint16_t port, bool anyway) {
  sockaddr_storage to;
  const socklen_t size = address.Fill(port, to);
  sys::UniqueFd socket(::socket(to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return -errno;
  const int one = 1;
  // ::1 and 127.0.0.1 are two listeners, and a run may follow another one closely.
  if (address.v6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (type == SOCK_STREAM) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (anyway) {
    ::setsockopt(socket.get(), address.v6 ? int{IPPROTO_IPV6} : int{IPPROTO_IP},
                 address.v6 ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof one);
  }
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&to), size) != 0) return -errno;
  if (type == SOCK_STREAM && ::listen(socket.get(), kBacklog) != 0) return -errno;
  return socket.release();
}

bool NoSuchFamily(int error) { return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL; }

}  // namespace

Result<std::vector<PortListener>> ListenOnHost(const PortRules& ports) {
  std::vector<PortListener> listeners;
  for (const PortRule& rule : ports) {
    if (!rule.inward) continue;
    const int socket = Listen(SOCK_STREAM, Address::Of(rule.host), rule.host_port, false);
    const bool same_before = std::any_of(listeners.begin(), listeners.end(),
                                         [&](const PortListener& one) { return one.origin == rule.origin; });
    if (rule.host.v6 && NoSuchFamily(socket) && same_before) continue;
    if (socket < 0) {
      Error failure = sys::SystemError(
          "share the host's port " + Endpoint(rule.host, rule.host_port) + " (" + rule.origin + ")", -socket);
      if (socket == -EADDRINUSE) return std::move(failure).WithHint("another program has it: name another hostPort");
      if (socket == -EADDRNOTAVAIL) return std::move(failure).WithHint("this host has no such address: see `ip addr`");
      if (socket == -EACCES) return std::move(failure).WithHint("name a hostPort from 1024 on, or run mxc as root");
      return failure;
    }
    listeners.push_back({sys::UniqueFd(socket), true, rule.port, {}, rule.origin});
  }
  return listeners;
}

Result<void> ListenInside(const NetworkNamespace& there, const WaysOut& ways, bool v6, const PortRules& ports,
                          GatewayPlan& plan) {
  struct Wanted {
    int type;
    Address address;
    uint16_t port;
    sys::UniqueFd* into;
    bool optional;
    int error = 0;
  };
  std::vector<Wanted> wanted;
  if (ways.tcp || ways.names) wanted.push_back({SOCK_STREAM, kLoopbackV4, kGatewayPort, &plan.tcp_v4, false});
  if (ways.tcp && v6) wanted.push_back({SOCK_STREAM, kLoopbackV6, kGatewayPort, &plan.tcp_v6, true});
  if (ways.names) {
    wanted.push_back({SOCK_DGRAM, Address::Of(NameServer()), 53, &plan.resolver, false});
    wanted.push_back({SOCK_STREAM, Address::Of(NameServer()), 53, &plan.resolver_tcp, false});
  }
  const size_t first = plan.ports.size();
  for (const PortRule& rule : ports) {
    if (rule.inward) continue;
    const auto known = std::find_if(plan.ports.begin() + static_cast<ptrdiff_t>(first), plan.ports.end(),
                                    [&](const PortListener& one) { return one.port == rule.port; });
    if (known != plan.ports.end()) {
      known->to.emplace_back(rule.host, rule.host_port);
    } else {
      plan.ports.push_back({sys::UniqueFd(), false, rule.port, {{rule.host, rule.host_port}}, rule.origin});
    }
  }
  const size_t last = plan.ports.size();
  for (size_t i = first; i < last; ++i) {
    plan.ports.push_back({sys::UniqueFd(), false, plan.ports[i].port, plan.ports[i].to, plan.ports[i].origin});
  }
  for (size_t i = first; i < plan.ports.size(); ++i) {
    const Address& loopback = i < last ? kLoopbackV4 : kLoopbackV6;
    wanted.push_back({SOCK_STREAM, loopback, plan.ports[i].port, &plan.ports[i].socket, loopback.v6});
  }
  MXC_TRY(RunIn(there, [&] {
    for (Wanted& one : wanted) {
      const int socket = Listen(one.type, one.address, one.port, true);
      if (socket >= 0) one.into->reset(socket);
      one.error = std::min(socket, 0);
    }
  }));
  for (const Wanted& one : wanted) {
    if (one.error == 0 || (one.optional && NoSuchFamily(one.error))) continue;
    return sys::SystemError("listen inside the sandbox on " + Endpoint(one.address.AsCidr(), one.port), -one.error);
  }
  return {};
}

std::vector<sys::UniqueFd> SocketsInside(const NetworkNamespace& there) {
  std::vector<sys::UniqueFd> sockets;
  Result<void> ran = RunIn(there, [&] {
    while (sockets.size() < sys::kMostDescriptors) {
      constexpr int kType = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
      sys::UniqueFd socket(::socket(AF_INET6, kType, 0));
      if (!socket.valid()) socket.reset(::socket(AF_INET, kType, 0));
      if (!socket.valid()) return;
      sockets.push_back(std::move(socket));
    }
  });
  if (!ran.ok()) sockets.clear();
  return sockets;
}

}  // namespace mxc::network
