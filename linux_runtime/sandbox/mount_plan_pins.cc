#include <set>

#include "linux_runtime/sandbox/mount_plan.h"

namespace mxc::sandbox {

void MountPlanner::PinFolders(size_t before) {
  std::set<std::string> pins;  // in this order a folder comes before those inside it
  auto pin_above = [&](std::string path) {
    while ((path = ParentOf(path)) != "/") {
      const Shown* holder = Locate(path);
      if (holder == nullptr || holder->kind != Kind::kHost || holder->path == path) continue;
      if (holder->writable && !BelowCover(path)) pins.insert(path);
    }
  };
  for (const GuardedPath& guarded : plan_.guarded) {
    // Of a name that doesn't exist yet, the folders that do.
    size_t existing = guarded.path.size() - std::min(guarded.path.size(), guarded.name.size());
    pin_above(guarded.path.substr(0, existing) + "name");
  }
  for (const Shown& shown : shown_) {
    if (shown.kind == Kind::kHost && !shown.writable) pin_above(shown.path);
  }
  std::vector<Step> steps;
  for (const std::string& path : pins) {
    Step& step = steps.emplace_back();
    step.op = Op::kPin;
    step.path = plan_.Intern(path);
    step.directory = step.optional = true;
  }
  plan_.steps.insert(plan_.steps.begin() + static_cast<ptrdiff_t>(before), steps.begin(), steps.end());
}

}  // namespace mxc::sandbox
