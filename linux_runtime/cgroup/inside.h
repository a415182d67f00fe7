// Inside of manager.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/cgroup/busctl.h"
#include "linux_runtime/cgroup/device_rules.h"
#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/cgroup/systemd_scope.h"

namespace mxc::cgroup {

// A process that does nothing, and is killed when its starter ends.
class Placeholder {
 public:
  Placeholder() = default;
  Placeholder(const Placeholder&) = delete;
  ~Placeholder() { End(); }
  Result<void> Start();
  void End();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

struct BundleGroup::Inside {
  bool disabled = false;
  bool rootless = false;
  std::optional<Group> group;
  std::string unit;  // systemd's; empty: not its group
  Bus bus;
  std::vector<std::string> notes;
  std::optional<Layout> layout;  // what Make saw
  Placeholder placeholder;       // after `group`: ended first, so that the group is empty then

  // cgroupfs. No group, and no error: rootless without limits and without a place.
  Result<void> MakeFolders(const oci::Spec& spec, const std::string& id, const Hierarchy& hierarchy,
                           const std::vector<Setting>& settings);
  Result<void> MakeScope(ScopeRequest request, const Hierarchy& hierarchy);
  void StopScope();
  Result<void> SetDevices(const std::vector<DeviceRule>& rules, bool in_use);
};

}  // namespace mxc::cgroup
