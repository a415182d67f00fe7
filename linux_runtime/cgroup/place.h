// Where a bundle's group lies in each hierarchy: linux.cgroupsPath read as runc reads it. Decided from texts; makes nothing.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/cgroup/hierarchy.h"
#include "shared/base/result.h"

namespace mxc::cgroup {

// The group in one hierarchy: `below` is made, component by component, from the existing folder `top` on.
struct Spot {
  Controllers controllers = 0;  // v1: of the hierarchy; v2: to be handed on down to the group
  std::string list;             // v1: OwnGroup::list
  std::string top;
  std::string below;  // "a/b/name": plain names only
  bool operator==(const Spot&) const = default;
};

struct Place {
  bool v2 = false;
  std::vector<Spot> spots;  // none: this host has no cgroups, or none that the caller can reach
  bool operator==(const Place&) const = default;
};

// cgroups_path: absolute, relative or empty, as manager.h says. Refused: "..", the root itself, and what is no path.
Result<Place> PlaceOf(const Hierarchy& hierarchy, const std::string& cgroups_path, const std::string& id);

// The last part of the default place: "mxc." and the id. `mxc run` sweeps "mxc-", so the two don't meet.
std::string DefaultGroupName(const std::string& id);

}  // namespace mxc::cgroup
