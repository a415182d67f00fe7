#include "shared/policy/contract_support.h"

#include <string>
#include <string_view>

namespace mxc::policy {
namespace {

struct Unbuilt {
  bool asked;
  std::string_view pointer;
  std::string_view what;
  std::string_view hint;
};

}  // namespace

Result<void> RefuseUnbuilt(const Policy& policy) {
  constexpr std::string_view kNoNetwork =
      "remove it: without it the sandbox has a loopback device of its own and nothing else";
  constexpr std::string_view kNoDesktop =
      "remove it: without it no window, clipboard or input of the desktop is reachable";
  const Network& network = policy.network;
  const Unbuilt all[] = {
      {policy.lxc.has_value(), "/lxc", "a root file system of another distribution",
       "use containment \"process\", which shows this system's own programs read-only, or name a folder in "
       "x-linux.rootfs"},
      {network.egress == Default::kAllow, "/network/egress/default", "network access", kNoNetwork},
      {!network.egress_allow.empty(), "/network/egress/allow", "egress rules", kNoNetwork},
      {!network.egress_deny.empty(), "/network/egress/deny", "egress rules", kNoNetwork},
      {network.ingress == Default::kAllow, "/network/ingress/default", "connections from outside", kNoNetwork},
      {network.host_loopback == Default::kAllow, "/network/ingress/hostLoopback", "connections from the host",
       kNoNetwork},
      {policy.network_proxy.has_value(), "/runtimeConfig/networkProxy", "network access through a proxy", kNoNetwork},
      {!policy.ui.disable, "/ui/disable", "access to the desktop", kNoDesktop},
      {policy.ui.clipboard != Clipboard::kNone, "/ui/clipboard", "access to the clipboard", kNoDesktop},
      {policy.ui.injection, "/ui/injection", "input into other windows", kNoDesktop},
  };
  for (const Unbuilt& one : all) {
    if (!one.asked) continue;
    const std::string pointer(one.pointer);
    const auto place = policy.positions.find(pointer);
    return Error(Code::kUnsupported, std::string(one.what) + ": not built yet")
        .WithHint(std::string(one.hint))
        .WithPosition(place != policy.positions.end() ? place->second : Position{policy.source, 0, 0, pointer});
  }
  return {};
}

}  // namespace mxc::policy
