#include "linux_runtime/cgroup/sweep.h"

#include "linux_runtime/cgroup/directory.h"

namespace mxc::cgroup {
namespace {

int SweepFolder(const std::string& path, std::string_view prefix,
                const std::function<bool(const std::string&)>& alive) {
  auto parent = Directory::Open(path);
  if (!parent) return 0;
  auto children = parent->Children();
  if (!children) return 0;
  int removed = 0;
  for (const std::string& name : *children) {
    if (name.starts_with(prefix) && !alive(name) && parent->RemoveTree(name, std::chrono::milliseconds(0)) == 0)
      ++removed;
  }
  return removed;
}

}  // namespace

int Sweep(const Hierarchy& hierarchy, std::string_view prefix, const std::function<bool(const std::string&)>& alive) {
  if (prefix.empty() || !hierarchy.delegated()) return 0;
  if (hierarchy.version() == Version::kV2) {
    const std::string& make = hierarchy.v2_make();
    return SweepFolder(hierarchy.v2_parent() + (make.empty() ? "" : "/" + make), prefix, alive);
  }
  int removed = 0;
  for (const OwnGroup& own : hierarchy.layout().v1) {
    if (own.controllers != 0) removed += SweepFolder(own.path, prefix, alive);
  }
  return removed;
}

}  // namespace mxc::cgroup
