// linux.intelRdt: classes of service for cache and memory bandwidth, and their monitoring, by the resctrl file system
// (Linux 4.10; Documentation/filesystems/resctrl.rst). The runtime uses what is mounted and mounts nothing itself.
#pragma once

#include <optional>
#include <string>

#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

struct RdtPlan {
  std::string root;         // where resctrl is mounted
  std::string group;        // closID, else the container's id
  std::string schemata;     // lines for the group's `schemata`; empty: it is left as it is
  bool must_exist = false;  // closID without a schema: somebody else has made the group
  bool shared = false;      // closID is given: the group is not ours to remove
  std::string monitor;      // name of a monitoring group of the container's own; empty: none
};

// Where resctrl is mounted, by /proc/self/mountinfo; nothing: nowhere.
std::optional<std::string> FindResctrl();

// Errors: kUnsupported (/linux/intelRdt) when `root` is nothing; kInvalid naming the field.
Result<RdtPlan> PlanIntelRdt(const oci::IntelRdt& wanted, const std::string& container_id,
                             const std::optional<std::string>& root);

// Makes the group where it is missing, writes or compares its schemata, and puts the process into it. What config-linux.md
// asks for: an existing group's schemata that say otherwise are an error, and so is a missing group without a schema.
Result<void> JoinIntelRdt(const RdtPlan& plan, int pid);

// Once no process is left: removes the monitoring group, and the group itself when it has the container's name and not a
// closID. What is gone already is no error.
Result<void> RemoveIntelRdt(const RdtPlan& plan);

}  // namespace mxc::sandbox
