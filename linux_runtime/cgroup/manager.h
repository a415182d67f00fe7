// The cgroup of an OCI bundle's container, from `create` to `delete`: what --cgroup-manager chooses between.
//
//   cgroupfs  the folders are made here. linux.cgroupsPath, as runc reads it:
//               absolute   below the mount point of each hierarchy
//               relative   below the caller's own group; on v2 beside it, since a group with processes hands on nothing
//               absent     "mxc.ID" below the caller's own group; on v2 where `mxc run` makes its groups (hierarchy.h)
//             On v1 the group is made in every mounted hierarchy, the named ones included, so that all of them name the
//             same group and every limit can be changed later. A group that exists is taken over if no process is in it
//             or below it and it isn't frozen (runc 1.1).
//   systemd   a transient scope, asked for over D-Bus by busctl(1): systemd_scope.h. Exists once Adopt has run.
//   disabled  no group; limits are refused by name.
//
// Rootless without a delegated group: limits are an error that names the field; without limits there is no group.
//
// linux.resources.devices: v1 by the devices controller, v2 by a BPF program (device_program.h).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/cgroup/mounts.h"
#include "linux_runtime/cgroup/stats.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::cgroup {

enum class ManagerKind : uint8_t { kCgroupfs, kSystemd, kDisabled };

struct ManagerOptions {
  ManagerKind kind = ManagerKind::kCgroupfs;
  std::string id;                  // the container's
  bool rootless = false;           // not root, or root of a user namespace only
  std::string busctl = "busctl";   // program that speaks D-Bus, looked up in PATH
};

// How a process gets into a group: the parent opens, the child writes. On v1 "0" into `fds` in their order; on v2
// clone_fd for CLONE_INTO_CGROUP, or "0" into fds[0] (cgroup.procs) where a process is there already.
struct Entrance {
  std::vector<sys::UniqueFd> fds;
  sys::UniqueFd clone_fd;  // -1 on v1
};

class BundleGroup {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Decides where the group lies, makes it and sets the limits; systemd: only checks. The destructor removes an empty
  // group that was made here unless Release() was called.
  static Result<BundleGroup> Make(const oci::Spec& spec, const ManagerOptions& options);
  // By what State() said in another process. A group that is gone is no error: exists() is false, Destroy succeeds.
  static Result<BundleGroup> Open(const std::vector<std::string>& state, std::string busctl = "busctl");
  // For the state file: one line each hierarchy and for systemd's unit; opaque to the caller.
  std::vector<std::string> State() const;
  // Of Group::Paths(), for the log and `state`; MountsOf takes them. Empty without a group.
  std::vector<std::string> Paths() const;
  // The group of `state`'s and hooks' view: the path within v2, or within v1's memory hierarchy; "" without a group.
  std::string PathForState() const;

  BundleGroup(BundleGroup&&) noexcept;
  BundleGroup& operator=(BundleGroup&&) noexcept;
  ~BundleGroup();

  // False: `disabled`, rootless without limits, or systemd before Adopt.
  bool exists() const;
  bool disabled() const;
  // What a user should know but was not refused for: a deprecated field that no kernel of now enforces, devices that are
  // not limited because a user namespace can't make them anyway. One sentence each.
  const std::vector<std::string>& notes() const;

  // ---- start ----
  // For the container's first process. Empty: it joins nothing, or is adopted.
  Result<Entrance> Enter() const;
  // For exec: into the group itself, or into the group `below` it, which must exist (--cgroup). "" and "/": itself.
  Result<Entrance> Enter(std::string_view below) const;
  // systemd: true until Adopt. Call it while the child waits for its id maps, before it enters its cgroup namespace.
  bool wants_adoption() const;
  // Has systemd make the scope around `pid`, then sets what systemd has no property for. Nothing to do otherwise.
  Result<void> Adopt(pid_t pid);
  // The container's own view of its group: for mounts of type "cgroup". systemd: known after Adopt only.
  CgroupMounts Mounts() const;

  // ---- while it runs ----
  // Sets what `resources` says and leaves the rest. The first field that fails is named; those before it stay.
  Result<void> Update(const oci::Resources& resources);
  // Every process of the group and of groups below it, as this pid namespace sees it, ascending. For `ps`.
  Result<std::vector<pid_t>> Processes() const;
  // Stops or continues all tasks, and returns when they do.
  Result<void> Freeze(bool frozen, Milliseconds patience = Milliseconds(2000));
  // Whether the group was ordered to stand still ("paused"). False without a group.
  Result<bool> Frozen() const;
  // Sends `signal` to every process of the group and of groups below it, through pidfds. Not atomic against forks.
  Result<void> Signal(int signal) const;
  // SIGKILL to all, thawed if need be, until none is left.
  Result<void> Kill(Milliseconds patience = Milliseconds(10'000));
  Result<Stats> ReadStats() const;
  // Becomes ready when a process was killed for want of memory: v1 POLLIN (an eventfd; also when the group is removed),
  // v2 POLLPRI (memory.events).
  Result<sys::UniqueFd> OpenOomEvents() const;

  // ---- end ----
  // Removes the group and those below it; systemd: stops the unit. A group that is gone is no error. EBUSY after
  // `patience`: processes are still in it.
  Result<void> Destroy(Milliseconds patience = Milliseconds(2000));
  // The destructor leaves the group alone from now on.
  void Release();

 private:
  struct Inside;
  explicit BundleGroup(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace mxc::cgroup
