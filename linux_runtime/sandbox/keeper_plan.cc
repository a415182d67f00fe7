#include "linux_runtime/sandbox/keeper_plan.h"

#include "linux_runtime/sandbox/build_plan.h"

namespace mxc::sandbox {

std::optional<KeeperOptions> PlanKeeper(const Plan& plan, const oci::Extension& extension, bool privileged) {
  if (plan.guarded.empty()) return std::nullopt;
  KeeperOptions options;
  if (privileged) {
    const CoverIdentity identity = IdentityOfCovers(plan);
    options.cover_owner = identity.owner;
    options.unmapped_covers = identity.unmapped;
  }
  options.kept_covers = plan.covers;
  options.kill_on_exposed = extension.on_exposed == oci::OnExposed::kKill;
  for (const GuardedPath& guarded : plan.guarded) {
    // Of a name several folders deep that doesn't exist yet, `host_parent` is the part that does.
    const size_t folders = guarded.name.rfind('/');
    std::string parent = guarded.host_parent;
    if (folders != std::string::npos) parent += (parent == "/" ? "" : "/") + guarded.name.substr(0, folders);
    options.names.push_back(
        {guarded.path, std::move(parent), guarded.rule, guarded.protect, guarded.exists, guarded.host_parent.size()});
  }
  return options;
}

}  // namespace mxc::sandbox
