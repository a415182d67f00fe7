// The cgroup of an OCI bundle's container, from `create` to `delete`: what --cgroup-manager chooses between.
//
//   cgroupfs  the folders are made here. linux.cgroupsPath, as runc reads it:
//               absolute   below the mount point of each hierarchy
//               relative   below the caller's own group; on v2 beside it, since a group with processes hands on nothing
//               absent     "mxc.ID" below the caller's own group; on v2 where `mxc run` makes its groups (hierarchy.h)
//             On v1 the group is made in every mounted hierarchy, the named ones included, so that all of them name the
//             same group and every limit can be changed later. A group that exists is taken over if no process is in it
//             or below it and it isn't frozen (runc 1.1).
//   systemd   a transient scope, asked for over D-Bus by busctl(1): systemd_scope.h. linux.cgroupsPath is then
//             "slice:prefix:name". Rootless, the caller has to be below user@UID.service itself, as podman and whoever
//             is started by `systemd-run --user --scope` are: from elsewhere the kernel lets no process move there.
//   disabled  no group: who asks for it gets no limits, and a note names those that the bundle asks for.
//
// Rootless without a delegated group: limits are an error that names the field; without limits there is no group.
//
// v2, with a cgroup namespace and a writable mount of type cgroup in the bundle: the group's folder and the files that
// /sys/kernel/cgroup/delegate names are given to process.user, as config-linux.md asks ("Cgroup ownership").
//
// linux.resources.devices: v1 by the devices controller, v2 by a BPF program (device_program.h), and by nothing, with a
// note, where the caller is root of a user namespace only or rootless: the kernel lets nobody make device files there.
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
  std::string id;                 // the container's
  bool rootless = false;          // not root, or root of a user namespace only
  std::string busctl = "busctl";  // program that speaks D-Bus, looked up in PATH
};

// How a new process gets into a group. v1: it writes "0" into each of `tasks`, before it enters a cgroup namespace of its
// own. v2: `folder` is for CLONE_INTO_CGROUP (Linux 5.7). Both are empty where there is no group.
struct Entrance {
  std::vector<sys::UniqueFd> tasks;
  sys::UniqueFd folder;
};

class BundleGroup {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Decides where the group lies, makes it and sets the limits. The destructor removes an empty group that was made here
  // unless Release() was called.
  static Result<BundleGroup> Make(const oci::Spec& spec, const ManagerOptions& options);
  // By what State() said in another process. A group that is gone is no error: exists() is false, Destroy succeeds.
  static Result<BundleGroup> Open(const std::vector<std::string>& state, std::string busctl = "busctl");
  // For the state file: one line each hierarchy and for systemd's unit; opaque to the caller.
  std::vector<std::string> State() const;
  // Of Group::Paths(), for the log and `state`; MountsOf takes them. Empty without a group.
  std::vector<std::string> Paths() const;

  BundleGroup(BundleGroup&&) noexcept;
  BundleGroup& operator=(BundleGroup&&) noexcept;
  ~BundleGroup();

  // False: `disabled`, rootless without limits and without a delegated group, or removed meanwhile.
  bool exists() const;
  bool disabled() const;
  // What a user should know but was not refused for: a deprecated field that no kernel of now enforces, devices that are
  // not limited because a user namespace can't make them anyway. One sentence each.
  const std::vector<std::string>& notes() const;

  // ---- start ----
  // For the container's first process.
  Result<Entrance> Enter() const;
  // For exec. below: what --cgroup says, each "PATH" below the container's group or, v1 only, "memory,cpu:PATH"; it must
  // exist. v2, and nothing said: where the container's group has handed controllers on and so may hold no process
  // (systemd inside), the group that `init` is in.
  Result<Entrance> EnterForExec(const std::vector<std::string>& below, pid_t init) const;
  // The container's own view of its group: for mounts of type "cgroup".
  CgroupMounts Mounts() const;

  // ---- while it runs ----
  // Sets what `resources` says and leaves the rest; device rules, if any are given, replace the earlier ones. The first
  // field that fails is named; those before it stay.
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
  // The destructor leaves the group alone from now on. To be called when the container's first process has joined;
  // systemd's scope ends with its last process, and until then a process of ours is in it.
  void Release();

 private:
  struct Inside;
  explicit BundleGroup(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace mxc::cgroup
