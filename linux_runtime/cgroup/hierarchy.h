// What this host's cgroups let the caller do: which controllers, and below which group new ones may be made.
//
// v1 and hybrid: below the caller's own group of each controller, so that the caller's limits go on counting.
// v2: a group that holds processes can't hand controllers to its children, so the place is, in this order,
//   as root   the nearest ancestor that systemd delegated (Delegate=yes: xattr trusted.delegate), else <mount>/mxc;
//   rootless  the nearest ancestor that the caller may write, as in user@UID.service: mkdir there, and its cgroup.procs,
//             without which no process may move.
// Only what can be used is offered; why_not() says why the rest is not.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "linux_runtime/cgroup/layout.h"

namespace mxc::cgroup {

class Hierarchy {
 public:
  // Reads /proc/self/mountinfo and /proc/self/cgroup. Never fails: a host without cgroups offers none.
  static Hierarchy Probe();
  // The same from texts that the caller has read already. extra_flags: Directory::Open.
  static Hierarchy From(const Layout& layout, uid_t euid, int extra_flags = 0);

  Version version() const { return layout_.version; }
  const Layout& layout() const { return layout_; }
  // Controllers that a new group gets when it asks for them.
  Controllers available() const { return available_; }
  // True where a new group can be made at all.
  bool delegated() const { return available_ != 0; }
  // Why some or all of memory, pids and cpu are not available, with what to do; "" when all three are.
  const std::string& why_not() const { return why_not_; }

  // v2: the group below which new ones are made, and whether it has to be made first (it stays afterwards).
  const std::string& v2_parent() const { return v2_parent_; }
  const std::string& v2_make() const { return v2_make_; }
  int extra_flags() const { return extra_flags_; }

 private:
  void FindV1();
  void FindV2(uid_t euid);
  bool TryV2Parent(const std::string& path);

  Layout layout_;
  Controllers available_ = 0;
  std::string why_not_;
  std::string v2_parent_, v2_make_;
  int extra_flags_ = 0;
};

}  // namespace mxc::cgroup
