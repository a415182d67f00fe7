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

// What Make found out and Adopt needs, for systemd.
struct PendingScope {
  ScopeRequest request;  // without the pid
  Hierarchy hierarchy;
  std::vector<Setting> settings;
  std::vector<DeviceRule> rules;
};

struct BundleGroup::Inside {
  bool disabled = false;
  bool rootless = false;
  std::optional<Group> group;
  std::string unit;  // systemd's; empty: not its group
  Bus bus;
  std::optional<PendingScope> pending;
  std::vector<std::string> notes;

  Result<void> SetDevices(const std::vector<DeviceRule>& rules, bool in_use);
};

}  // namespace mxc::cgroup
