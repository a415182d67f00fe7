// fanotify for the guard: refuses opens of exposed objects to the container's tasks, and tells who made a name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "linux_runtime/sandbox/cover_keeper_guard.h"
#include "linux_runtime/sys/fd.h"

namespace mxc::sandbox {

// An open of an object below a marked folder, by a task of the container, that waits for the answer.
struct HeldOpen {
  std::string path;  // as the container sees it, when it came through the container's own mounts
  uint64_t device = 0, inode = 0;
};

class OpenHold {
 public:
  // Before the guard joins the container: needs CAP_SYS_ADMIN in the initial user namespace. proc: the host's /proc.
  // Without the right nothing is held; without CONFIG_FANOTIFY_ACCESS_PERMISSIONS, Mark finds that out.
  explicit OpenHold(int proc);

  bool holds() const { return opens_.valid(); }
  // Every folder that was to be held is.
  bool complete() const { return holds() && complete_; }
  int opens() const { return opens_.get(); }
  int origins() const { return origins_.get(); }

  // A folder whose children's opens are held (not when only_origins) and whose new names are told. Returns what
  // ReadOrigins calls it, "" when makers can't be told there.
  std::string Mark(int folder, bool only_origins);

  // refuse: whether this open is of an exposed object. Called only for the container's tasks; all others pass.
  void ReadOpens(const std::function<bool(const HeldOpen&)>& refuse);
  void ReadOrigins(const std::function<void(std::string_view folder, std::string_view name, Origin)>& made);

 private:
  bool Inside(pid_t pid) const;
  bool HasContainerId(const std::string& task) const;
  std::string Link(const std::string& path) const;

  int proc_;
  bool complete_ = true;
  std::string outside_[3];  // the user, pid and mount namespaces of the supervisor
  sys::UniqueFd opens_, origins_;
};

}  // namespace mxc::sandbox
