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
  std::optional<uint64_t> throttled_us;       // waiting for its share of processors
  std::optional<uint64_t> memory_bytes;       // now
  std::optional<uint64_t> memory_peak_bytes;
  std::optional<uint64_t> oom_kills;          // processes killed for want of memory; v2 may count one twice
  std::optional<uint64_t> pids;               // tasks now
  std::optional<uint64_t> pids_peak;
  std::optional<uint64_t> pids_refused;       // forks that failed at the limit
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

  // A group that another process made, by what Paths() said there. Not removed by the destructor.
  static Result<Group> Open(const std::vector<std::string>& paths);
  // "memory,pids=/sys/fs/cgroup/…/name", one each hierarchy; what a state file keeps.
  std::vector<std::string> Paths() const;

  // v1: files into which the child writes "0", before it enters a cgroup namespace of its own. Empty on v2.
  const std::vector<int>& JoinFds() const { return join_fds_; }
  // v2: for CLONE_INTO_CGROUP (Linux 5.7). -1 on v1.
  int CloneFd() const;
  // v2 without CLONE_INTO_CGROUP, and `exec`: cgroup.procs for writing, takes "0" from the child.
  Result<sys::UniqueFd> OpenProcs() const;
  // Closes JoinFds(): the child has joined.
  void CloseJoinFds();

  // Sets limits again on a group in use. The first that fails is named; those before it stay.
  Result<void> Set(const Limits& limits);
  Result<Usage> ReadUsage() const;
  // Becomes ready when a process was killed for want of memory. v2: memory.events, poll for POLLPRI; v1: an eventfd,
  // poll for POLLIN, which becomes ready when the group is removed too.
  Result<sys::UniqueFd> OpenOomEvents() const;

  // Returns when all tasks stand still or run again. Frozen tasks of v1 don't die until they are thawed.
  Result<void> Freeze(bool frozen, Milliseconds patience = Milliseconds(500));
  // SIGKILL to every process of the group and of groups below it (v2), until none is left.
  Result<void> Kill(Milliseconds patience = Milliseconds(2000));
  // Removes the group, and groups below it. EBUSY after `patience`: processes are still in it.
  Result<void> Destroy(Milliseconds patience = Milliseconds(1000));
  // Removes the group if nothing is in it; false if something is, which Kill and Destroy then deal with.
  bool RemoveEmpty();
  // The destructor leaves the group alone from now on.
  void Release() { owned_ = false; }

 private:
  friend Result<Group> Create(const Hierarchy&, const std::string&, const Limits&, Extras);
  struct Part {  // the group in one hierarchy
    Controllers controllers = 0;
    Directory parent, self;
    std::string name;
    sys::UniqueFd tasks;
  };

  Group() = default;
  Result<void> Add(Directory parent, const std::string& name, Controllers controllers);
  Result<void> Write(const std::vector<Setting>& settings);
  const Part* Find(Controllers controller) const;
  Result<void> KillListed(const Part& part) const;
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

}  // namespace mxc::cgroup
