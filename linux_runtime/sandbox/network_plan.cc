#include "linux_runtime/sandbox/network_plan.h"

#include "shared/network/ruleset.h"

namespace mxc::sandbox {

Result<void> PlanNetwork(Plan& plan, const oci::Extension& extension, const PlanContext& context) {
  if (extension.network.empty()) return {};
  const auto refuse = [](const char* why, const char* hint) {
    return Error(Code::kUnsupported, std::string("/annotations/dev.mxc.network: ") + why).WithHint(hint);
  };
  if (context.bundle) {
    return refuse("network rules of a bundle are not enforced here",
                  "take the annotation out and let the engine make the network, or use mxc run");
  }
  if (!context.privileged) {
    return refuse("only root can connect a sandbox", "run mxc as root, or take the rules out");
  }
  if ((plan.namespaces & CLONE_NEWNET) == 0) {
    return refuse("the rules need a network namespace of the sandbox's own", "add it to linux.namespaces");
  }
  if (!plan.parent_writes_maps) {
    return refuse("the rules need a user namespace, so that nothing inside owns them",
                  "leave x-linux.identity at \"caller\"");
  }
  for (const network::Rule& rule : extension.network) plan.network.push_back(network::Spell(rule));
  return {};
}

}  // namespace mxc::sandbox
