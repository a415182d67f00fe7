#include "linux_runtime/compat/backends.h"

namespace mxc::compat {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kNoProxy[] = "runtimeConfig.networkProxy is not built yet, and refused";
constexpr char kNoNamespaces[] =
    "this user may not make user namespaces, which every sandbox needs; `mxc doctor` says what to do";

bool CanRun(const translate::HostFacts& facts) { return facts.root || facts.user_namespaces; }

}  // namespace

// bubblewrap stands for "a sandbox without another root", and is what the SDK looks for.
Json AvailableBackends(const translate::HostFacts& facts) {
  if (!CanRun(facts)) return Json::array();
  return Json::array(
      {{{"backend", "bubblewrap"}, {"capabilities", {"filesystemDeniedPaths"}}, {"warnings", {kNoProxy}}},
       {{"backend", "lxc"}, {"capabilities", {"filesystemDeniedPaths"}}}});
}

Json PlatformSupport(const translate::HostFacts& facts) {
  if (!CanRun(facts)) {
    return {{"isSupported", false}, {"reason", kNoNamespaces}, {"availableMethods", Json::array()}};
  }
  return {{"isSupported", true},
          {"reason", nullptr},
          {"availableMethods", {"bubblewrap", "lxc"}},
          {"bubblewrapNetwork", {{"proxyEnforcement", "unsupported"}, {"warnings", {kNoProxy}}}}};
}

}  // namespace mxc::compat
