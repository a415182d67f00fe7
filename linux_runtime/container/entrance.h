// The files through which a process enters a container's cgroup, open in the parent.
#pragma once

#include <utility>
#include <vector>

#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::container {

class GroupEntrance {
 public:
  explicit GroupEntrance(cgroup::Entrance entrance, sys::UniqueFd procs)
      : entrance_(std::move(entrance)), procs_(std::move(procs)) {}

  // A process that runs already writes "0" into each.
  std::vector<int> files() const {
    std::vector<int> fds;
    for (const sys::UniqueFd& fd : entrance_.tasks) fds.push_back(fd.get());
    if (procs_.valid()) fds.push_back(procs_.get());
    return fds;
  }
  // v2: for CLONE_INTO_CGROUP; -1 on v1 and without a group.
  int folder() const { return entrance_.folder.get(); }

 private:
  cgroup::Entrance entrance_;
  sys::UniqueFd procs_;  // v2: cgroup.procs
};

Result<GroupEntrance> OpenEntrance(cgroup::Entrance entrance);

}  // namespace mxc::container
