#include "linux_runtime/container/entrance.h"

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::container {

Result<GroupEntrance> OpenEntrance(cgroup::Entrance entrance) {
  sys::UniqueFd procs;
  if (entrance.folder.valid()) {
    procs.reset(sys::OpenAt(entrance.folder.get(), "cgroup.procs", O_WRONLY));
    if (!procs.valid()) return sys::SystemError("open cgroup.procs of the container's group", -procs.get());
  }
  return GroupEntrance(std::move(entrance), std::move(procs));
}

}  // namespace mxc::container
