// The part of a Plan that is the process of a bundle: what config.json says of it beyond the program, its ids and its
// capability sets, as the kernel's numbers. Plain data; process_attributes.h fills it, apply_process.h applies it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/network/net_devices.h"
#include "linux_runtime/sandbox/intel_rdt.h"
#include "linux_runtime/sys/process.h"

namespace mxc::sandbox {

struct MemoryPolicy {
  int mode = 0;                      // MPOL_*, with MPOL_F_* flags
  std::vector<unsigned long> nodes;  // bit mask; empty: none
};

struct ProcessPlan {
  // The container is set up as the root of its user namespace, and ids, groups and capability sets are switched at the
  // very end, exactly as written. False: a sandbox of ours, which never holds more than its policy gives.
  bool exact = false;

  bool user_namespace = false;  // new or joined: the child holds every capability in it

  std::vector<uint32_t> groups;
  bool keep_groups = false;  // the caller's stay, as the annotation run.oci.keep_original_groups asks
  bool groups_may_stay =
      false;  // without privilege the kernel may deny setgroups(2); with no groups asked for, that is no error
  // CAP_SYS_ADMIN stays effective until exec, for the system call filters: without no_new_privs the kernel takes none
  // without it. execve(2) works the permitted set out anew, from the bounding, inheritable and ambient sets alone.
  bool admin_until_exec = false;
  bool filters_early = false;  // a filter notifies: all are installed before the container counts as created

  std::optional<sys::SchedulerAttr> scheduler;
  std::optional<int> io_priority;
  std::optional<MemoryPolicy> memory_policy;
  std::optional<unsigned long> personality;
  std::vector<unsigned long> initial_affinity;  // while joining the cgroup; empty: inherited
  std::vector<unsigned long> affinity;          // of the program; empty: inherited

  char* home =
      nullptr;  // "HOME=/" in the environment, kHomeSize bytes: the child fills in what /etc/passwd inside says

  // What the parent does to the child, before it lets it go on: see parent_process.h.
  std::string oom_score_adj;  // as text; empty: inherited. With namespaces to join, the intermediate process writes it
  bool raise_limits = false;  // some hard limit is above the caller's
  std::vector<network::NetDeviceMove> net_devices;
  std::string network_path;  // of the network namespace to join; empty: the child has a new one
  std::optional<RdtPlan> rdt;

  bool needs_parent() const { return !oom_score_adj.empty() || raise_limits || rdt || !net_devices.empty(); }
};

inline constexpr size_t kHomeSize = 4096;

}  // namespace mxc::sandbox
