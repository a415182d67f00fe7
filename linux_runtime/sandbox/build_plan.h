// From an OCI spec with our annotations to a Plan. Runs in the parent: opens every object the spec names, once; settles
// names that are one object to the strictest rule; compiles filters. Nothing is changed on the host, so `mxc plan` may
// call it freely.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "linux_runtime/sandbox/plan.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"

namespace mxc::cgroup {
struct CgroupMounts;
}

namespace mxc::sandbox {

// What the caller knows of itself and has prepared.
struct PlanContext {
  // A plain OCI bundle: missing mount points are made in its root file system, setting up is done as the root of its user
  // namespace, and its program is the first process. False: a sandbox of ours, where nothing is made in anybody's folder.
  bool bundle = false;
  bool exec = false;          // another process of a running container
  std::string container_id;   // names the container's own groups of kernel objects
  bool new_keyring = false;   // a session keyring of the container's own
  bool wsl = false;           // a bundle is kept from AF_VSOCK, which under WSL leads to Windows' drives
  bool privileged = false;    // CAP_SYS_ADMIN in the initial user namespace
  bool capable = false;       // bundles: CAP_SYS_ADMIN in the caller's own user namespace, whichever that is
  uint32_t uid = 0, gid = 0;  // the caller's
  bool own_session = false;   // these ids and their home are this sandbox's alone
  uint32_t id_base = 0;       // privileged: first host id of a range that nothing else uses (id_range.h)
  int landlock_abi = 0;       // 0: none
  // Opens (O_PATH) what Windows calls so, by a walk that trusts no name on the way. Errors: as OpenHostObject.
  std::function<Result<sys::UniqueFd>(const std::string& windows)> open_windows;
  std::vector<int> cgroup_tasks;  // open `tasks` or `cgroup.procs` files to join by writing 0
  int cgroup_directory = -1;      // v2: for CLONE_INTO_CGROUP, instead of cgroup_tasks
  std::string seccomp_cache;      // folder for compiled filters; "": none
  std::string bundle_path;        // bundles: what relative paths of the spec start from
  bool no_pivot = false;  // bundles: MS_MOVE and chroot(2) instead of pivot_root(2), which a root on initramfs can't
  const cgroup::CgroupMounts* cgroup_mounts = nullptr;  // bundles: what a mount of type "cgroup" shows; null: none
};

// Errors: kNotFound with the path of a required mount that is missing; kUnsupported with the field this host can't
// enforce; kRefused where rules contradict each other; kInvalid for names the kernel doesn't know.
Result<Plan> BuildPlan(const oci::Spec& spec, const oci::Extension& extension, const PlanContext& context);

// A process that enters a running container by `container` (a pidfd and the namespaces to join at once): spec.process
// under the rest of the container's spec and, where it has any, its own Landlock rules. Errors: as BuildPlan.
Result<Plan> BuildExecPlan(const oci::Spec& spec, const oci::Extension& extension, const PlanContext& context,
                           const JoinedNamespace& container, const LandlockPlan* landlock);

// Who owns what covers denied paths, for a privileged caller: a host id that the container doesn't map, so that nobody
// inside can open it. In a sandbox of ours that is host root (decision 10), elsewhere perhaps the overflow id, which no
// account has; with all of the host's ids inside, a mount that shows no owner has to do.
struct CoverIdentity {
  uint32_t owner = 0;
  bool unmapped = false;
};
CoverIdentity IdentityOfCovers(const Plan& plan);

// CAP_SYS_ADMIN in the caller's user namespace.
bool IsCapable();

// The caller is root in the initial user namespace with CAP_SYS_ADMIN.
bool IsPrivileged();

}  // namespace mxc::sandbox
