// One sandbox's cgroup: made with its limits, joined by the sandbox's first process, read, frozen, killed, removed.
//
// On v1 a group is one folder in each controller that is wanted, and no more: each costs about 50 µs to make and remove.
// Joining costs a write: on v1 the child writes "0" into `tasks` files that were opened before (moving another process
// by cgroup.procs waits about 10 ms for an RCU grace period); on v2 clone3(2) with CLONE_INTO_CGROUP starts it inside.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/cgroup/directory.h"
#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/cgroup/limits.h"
#include "linux_runtime/cgroup/place.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::cgroup {

// What a group should be able to do beside limiting. On v2 every group can.
struct Extras {
  bool freezer = false;     // Freeze; Kill is surer with it
  bool accounting = false;  // processor time in Usage
};

// Since the group was made. Absent: this host or group doesn't count it.
struct Usage {
  std::optional<uint64_t> cpu_us;
  std::optional<uint64_t> throttled_us;  // waiting for its share of processors
  std::optional<uint64_t> memory_bytes;  // now
  std::optional<uint64_t> memory_peak_bytes;
  std::optional<uint64_t> oom_kills;  // processes killed for want of memory; v2 may count one twice
  std::optional<uint64_t> pids;       // tasks now
  std::optional<uint64_t> pids_peak;
  std::optional<uint64_t> pids_refused;  // forks that failed at the limit
};

struct CreateAtOptions {
  bool may_lack = false;  // hierarchies where the caller may not make groups (EACCES, EPERM, EROFS) are left out
  bool in_use = false;    // a group that exists may hold processes; else it is an error, as is one that is frozen
};

class Group {
 public:
  using Milliseconds = std::chrono::milliseconds;

  Group(Group&&) noexcept = default;
  Group& operator=(Group&& other) noexcept;
  Group(const Group&) = delete;
  // Removes the group if it is empty; kills nothing. After a fork both processes hold it: the one that goes first calls
  // Release().
  ~Group();

  // A group that another process made, by what Paths() said there. Not removed by the destructor. allow_gone: folders
  // that aren't there any more are left out, down to a group of none.
  static Result<Group> Open(const std::vector<std::string>& paths, bool allow_gone = false);
  // "memory,pids=/sys/fs/cgroup/…/name", "name=systemd=/sys/fs/…", "unified=/…": one each hierarchy; what a state file
  // keeps.
  std::vector<std::string> Paths() const;
  bool v2() const { return v2_; }
  // No folder: gone, or never made.
  bool none() const { return parts_.empty(); }
  Controllers controllers() const;
  // The group in the hierarchy of `controller` (v2: its only one); null without.
  const Directory* In(Controllers controller) const;
  // Each folder of the group, and the controllers of its hierarchy: none for a named one.
  std::vector<const Directory*> Folders() const;
  std::vector<std::pair<Controllers, const Directory*>> ByController() const;

  // v1: files into which the child writes "0", before it enters a cgroup namespace of its own. Empty on v2.
  const std::vector<int>& JoinFds() const { return join_fds_; }
  // v2: for CLONE_INTO_CGROUP (Linux 5.7). -1 on v1.
  int CloneFd() const;
  // v2 without CLONE_INTO_CGROUP, and `exec`: cgroup.procs for writing, takes "0" from the child.
  Result<sys::UniqueFd> OpenProcs() const;
  // Closes JoinFds(): the child has joined.
  void CloseJoinFds();

  // Sets limits again on a group in use, and leaves those that are absent. The first that fails is named; those before
  // it stay. notes: see Write.
  Result<void> Set(Limits limits, std::vector<std::string>& notes);
  // Sets what `settings` say, in their order; one that the kernel refuses as invalid is tried again after the others,
  // since quotas and periods, memory and swap bound each other. notes: fields that are ignored for IfMissing::kNote.
  Result<void> Write(const std::vector<Setting>& settings, std::vector<std::string>& notes);
  Result<Usage> ReadUsage() const;
  // v2: hands the group to a user, so that it may make groups below and move processes among them, and no more: the
  // folder and the files that /sys/kernel/cgroup/delegate names (Linux 4.15). v1: nothing, since it is not safe there.
  Result<void> GiveTo(uid_t owner) const;
  // Becomes ready when a process was killed for want of memory. v2: memory.events, poll for POLLPRI; v1: an eventfd,
  // poll for POLLIN, which becomes ready when the group is removed too.
  Result<sys::UniqueFd> OpenOomEvents() const;

  // Every process of the group and of groups below it, ascending.
  Result<std::vector<int>> Processes() const;
  // Returns when all tasks stand still or run again. Frozen tasks of v1 don't die until they are thawed.
  Result<void> Freeze(bool frozen, Milliseconds patience = Milliseconds(500));
  // Whether Freeze(true) was the last order.
  Result<bool> Frozen() const;
  // Once to every process of the group and of groups below it.
  Result<void> Signal(int signal) const;
  // SIGKILL to every process of the group and of groups below it, until none is left.
  Result<void> Kill(Milliseconds patience = Milliseconds(2000));
  // Removes the group, and groups below it. EBUSY after `patience`: processes are still in it.
  Result<void> Destroy(Milliseconds patience = Milliseconds(1000));
  // Removes the group if nothing is in it; false if something is, which Kill and Destroy then deal with.
  bool RemoveEmpty();
  // The destructor leaves the group alone from now on.
  void Release() { owned_ = false; }

 private:
  friend Result<Group> Create(const Hierarchy&, const std::string&, const Limits&, Extras);
  friend Result<Group> CreateAt(const Hierarchy&, const Place&, CreateAtOptions);
  struct Part {  // the group in one hierarchy
    Controllers controllers = 0;
    std::string list;  // v1: the hierarchy as /proc/self/cgroup names it
    Directory parent, self;
    std::string name;
    bool made = false;  // here, so that the destructor may remove it
    sys::UniqueFd tasks;
  };

  Group() = default;
  Result<void> Add(Directory parent, const std::string& name, Controllers controllers);
  Result<void> AddAt(const Spot& spot, int extra_flags);
  Result<void> CheckUnused() const;
  Result<void> CheckUpdate(const Limits& limits) const;
  Result<void> CompleteUpdate(Limits& limits) const;
  const Part* Find(Controllers controller) const;
  Result<bool> Empty() const;

  bool v2_ = false;
  bool owned_ = true;
  std::vector<Part> parts_;
  std::vector<int> join_fds_;
};

// name: one path component, such as "mxc-" and the container's id. A name that exists is refused: it belongs to another
// sandbox, or to a dead one that Sweep removes. A limit whose controller is missing or whose value the kernel refuses is
// an error that names the OCI field, and nothing is left behind.
Result<Group> Create(const Hierarchy& hierarchy, const std::string& name, const Limits& limits, Extras extras = {});

// A group at a place that a bundle asks for, without limits yet: Write. Groups above it are made as needed and stay.
Result<Group> CreateAt(const Hierarchy& hierarchy, const Place& place, CreateAtOptions options);

}  // namespace mxc::cgroup
