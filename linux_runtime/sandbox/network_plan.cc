#include "linux_runtime/sandbox/network_plan.h"

#include "shared/network/names.h"
#include "shared/network/ports.h"
#include "shared/network/ruleset.h"

namespace mxc::sandbox {

Result<void> PlanNetwork(Plan& plan, const oci::Extension& extension, const PlanContext& context) {
  if (extension.network.empty() && extension.names.empty() && extension.ports.empty()) return {};
  const char* const annotation = !extension.network.empty() ? "network" : !extension.names.empty() ? "names" : "ports";
  const auto refuse = [&](const char* why, const char* hint) {
    return Error(Code::kUnsupported, std::string("/annotations/dev.mxc.") + annotation + ": " + why).WithHint(hint);
  };
  if (context.bundle) {
    return refuse("network rules of a bundle are not enforced here",
                  "take the annotation out and let the engine make the network, or use mxc run");
  }
  for (const network::PortRule& rule : extension.ports) {
    if (rule.transport != network::Transport::kTcp)
      return refuse("only ports of TCP can be shared", "take the rule out");
  }
  if ((plan.namespaces & CLONE_NEWNET) == 0) {
    return refuse("the rules need a network namespace of the sandbox's own", "add it to linux.namespaces");
  }
  if ((plan.namespaces & CLONE_NEWUSER) == 0) {
    return refuse("the rules need a user namespace, so that nothing inside owns them",
                  "leave x-linux.identity at \"caller\"");
  }
  if (!plan.parent_writes_maps) {
    Step wait;
    wait.op = Op::kAwaitParent;
    plan.steps.insert(plan.steps.begin(), wait);
  }
  for (const network::Rule& rule : extension.network) plan.network.push_back(network::Spell(rule));
  for (const network::NameRule& rule : extension.names) plan.network.push_back("name " + network::Spell(rule));
  for (const network::PortRule& rule : extension.ports) plan.network.push_back("port " + network::Spell(rule));
  return {};
}

}  // namespace mxc::sandbox
