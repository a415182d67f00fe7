// What the doctor asks beyond HostFacts. Takes milliseconds: it tries things instead of believing what is configured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "linux_runtime/cgroup/hierarchy.h"
#include "shared/translate/host_facts.h"

namespace mxc::host {

struct Details {
  std::string release;  // uname -r
  bool wsl1 = false;

  std::vector<std::string> missing_namespaces;  // of user mnt pid net ipc uts cgroup time
  int user_namespace_errno = 0;                 // of making one and using a right inside; 0: works
  bool user_namespaces_off = false;             // user.max_user_namespaces is 0
  bool user_namespaces_root_only = false;       // kernel.unprivileged_userns_clone is 0
  bool apparmor_restricts = false;              // kernel.apparmor_restrict_unprivileged_userns is 1

  bool seccomp = false;
  bool seccomp_log = false;  // SECCOMP_RET_LOG
  std::string lsms;          // "landlock,yama"; empty: can't be read

  bool has_newidmap = false;  // newuidmap and newgidmap
  uint64_t sub_uids = 0;      // how many the caller may map
  uint64_t sub_gids = 0;
  bool fanotify_permission = false;  // fanotify(7) can hold an open back until it is decided; root only

  std::string network_lacks;  // what the kernel lacks for network rules; "": nothing, or nobody could ask

  std::string cgroup_why_not;           // Hierarchy::why_not()
  std::optional<bool> swap_accounting;  // absent: unknown

  std::vector<std::pair<std::string, std::string>> dangerous_groups;  // name, what it gives

  bool wsl_interop = false;  // Windows programs can be started from the distribution
  bool wsl_gpu = false;      // /dev/dxg
  bool vsock = false;        // AF_VSOCK sockets can be made here

  bool operator==(const Details&) const = default;
};

Details ProbeDetails(const translate::HostFacts& facts, const cgroup::Hierarchy& hierarchy);

}  // namespace mxc::host
