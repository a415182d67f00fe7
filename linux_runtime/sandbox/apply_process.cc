#include "linux_runtime/sandbox/apply_process.h"

#include <limits.h>
#include <string.h>

#include "linux_runtime/sandbox/apply_home.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sys/process.h"

namespace mxc::sandbox {
namespace {

constexpr uint64_t kSysAdmin = uint64_t{1} << 21;
constexpr int kLastCapability = 63;

// ---- steps ----

// No link and no other mount on the way: what is written is the kernel's parameter of that name.
int WriteSysctl(const Step& step) {
  int fd = sys::OpenAt2(step.fd, step.path, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (fd < 0) return fd;
  long written = sys::Write(fd, step.text, strlen(step.text));
  sys::Close(fd);
  return written < 0 ? static_cast<int>(written) : 0;
}

// What an LSM makes of the next exec is the process's own to say, in its own /proc folder.
int WriteLabel(const Step& step) {
  int fd = sys::OpenAt(step.fd, step.path, O_WRONLY);
  if (fd < 0) return fd;
  long written = sys::Write(fd, step.text, strlen(step.text));
  sys::Close(fd);
  return written < 0 ? static_cast<int>(written) : 0;
}

int EnterTimeNamespace(const Step& step) {
  if (int error = sys::Unshare(CLONE_NEWTIME); error < 0) return error;
  int offsets = sys::OpenAt(step.fd, "self/timens_offsets", O_WRONLY);
  if (offsets < 0) return offsets;
  long written = sys::Write(offsets, step.text, strlen(step.text));
  sys::Close(offsets);
  if (written < 0) return static_cast<int>(written);
  int made = sys::OpenAt(step.fd, "self/ns/time_for_children", O_RDONLY);
  if (made < 0) return made;
  int error = sys::SetNs(made, CLONE_NEWTIME);
  sys::Close(made);
  return error;
}

// The caller's keys stay out of reach (keyrings(7)). A kernel without keys has none to hide.
int NewKeyring() {
  int error = sys::NewSessionKeyring();
  return error == -ENOSYS || error > 0 ? 0 : error;
}

// One folder of a path, the ones above it being there; a link on the way is followed below the root.
int MakeOneFolder(int root, char* path) {
  char* name = strrchr(path, '/');
  int parent = -1;
  if (name == path) {
    parent = sys::OpenInRoot(root, "/", O_PATH | O_DIRECTORY);
  } else {
    *name = '\0';
    parent = sys::OpenInRoot(root, path, O_PATH | O_DIRECTORY);
    *name = '/';
  }
  if (parent < 0) return parent;
  int error = sys::Mkdir(parent, name + 1, 0755);
  sys::Close(parent);
  return error == -EEXIST ? 0 : error;
}

// As `mkdir -p` below the root. A root that can't be written to is left to chdir, which then says what is missing.
int MakeWorkingFolder(const Step& step, int root) {
  int fd = sys::OpenInRoot(root, step.path, O_PATH | O_DIRECTORY);
  if (fd >= 0) return sys::Close(fd);
  if (fd != -ENOENT) return fd == -EACCES ? 0 : fd;
  char path[PATH_MAX];
  const size_t size = strlen(step.path);
  if (size >= sizeof path) return -ENAMETOOLONG;
  memcpy(path, step.path, size + 1);
  for (char* at = path + 1;; ++at) {
    if (*at != '/' && *at != '\0') continue;
    const bool last = *at == '\0';
    if (at[-1] != '/') {
      *at = '\0';
      int error = MakeOneFolder(root, path);
      if (error == -EROFS || error == -EACCES) return 0;
      if (error < 0) return error;
      if (!last) *at = '/';
    }
    if (last) return 0;
  }
}

// ---- the switch ----

// What a program may open again as /dev/stdout: pipes and sockets, and the container's own terminal. Files and terminals of
// the host stay their owner's.
int OwnStreams(const Plan& plan) {
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat found;
    if (sys::Fstat(fd, &found) < 0 || found.st_uid == plan.uid) continue;
    if (!S_ISFIFO(found.st_mode) && !S_ISSOCK(found.st_mode) && !(plan.terminal && S_ISCHR(found.st_mode))) continue;
    // The owner may be outside the id map (EPERM, EINVAL), the file system read-only: the open stream works all the same.
    int error = static_cast<int>(sys::Check(::fchown(fd, plan.uid, static_cast<gid_t>(-1))));
    if (error < 0 && error != -EPERM && error != -EINVAL && error != -EROFS && error != -EACCES) return error;
  }
  return 0;
}

int SetGroupsExactly(const ProcessPlan& process) {
  if (process.keep_groups) return 0;
  int error = sys::SetGroups(process.groups.size(), process.groups.data());
  return error == -EPERM && process.groups.empty() && process.groups_may_stay ? 0 : error;
}

int DropBounding(uint64_t kept) {
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    if ((kept >> capability & 1) != 0) continue;
    int error = sys::Prctl(PR_CAPBSET_DROP, static_cast<unsigned long>(capability));
    if (error == -EINVAL) break;  // above the kernel's last
    if (error < 0) return error;
  }
  return 0;
}

// The inheritable set may only grow by what is in the bounding set, so it goes first (capabilities(7)).
int PrepareCapabilities(const Plan& plan) {
  sys::CapabilitySets sets;
  if (int error = sys::GetCapabilities(&sets); error < 0) return error;
  sets.inheritable = plan.inheritable;
  if (int error = sys::CapSet(sets); error < 0) return error;
  if (int error = DropBounding(plan.bounding); error < 0) return error;
  // The permitted set has to outlive the switch of ids.
  return sys::Prctl(PR_SET_KEEPCAPS, 1);
}

int SetCapabilitiesExactly(const Plan& plan) {
  if (int error = sys::Prctl(PR_SET_KEEPCAPS, 0); error < 0) return error;
  if (int error = sys::Prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL); error < 0) return error;
  const uint64_t extra = plan.process.admin_until_exec ? kSysAdmin : 0;
  sys::CapabilitySets sets{plan.effective | extra, plan.permitted | extra, plan.inheritable};
  if (int error = sys::CapSet(sets); error < 0) return error;
  for (int capability = 0; capability <= kLastCapability; ++capability) {
    if ((plan.ambient >> capability & 1) == 0) continue;
    int error = sys::Prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, static_cast<unsigned long>(capability));
    if (error < 0) return error;
  }
  return 0;
}

// A working folder that some descriptor or race has put outside the root would be a way out (CVE-2024-21626).
int CheckWorkingFolder() {
  char path[PATH_MAX];
  long size = sys::GetCwd(path, sizeof path);
  if (size < 0) return static_cast<int>(size);
  return path[0] == '/' ? 0 : -EXDEV;
}

int SetScheduling(const ProcessPlan& process, uint32_t* step) {
  *step = kStepAffinity;
  if (!process.affinity.empty()) {
    int error = sys::SetAffinity(process.affinity.data(), process.affinity.size() * sizeof(unsigned long));
    if (error < 0) return error;
  }
  *step = kStepScheduler;
  if (process.scheduler) {
    if (int error = sys::SetScheduler(*process.scheduler); error < 0) return error;
  }
  *step = kStepIoPriority;
  if (process.io_priority) {
    if (int error = sys::SetIoPriority(*process.io_priority); error < 0) return error;
  }
  *step = kStepMemoryPolicy;
  if (process.memory_policy) {
    const std::vector<unsigned long>& nodes = process.memory_policy->nodes;
    // The kernel counts one bit less than it is told (get_nodes in mm/mempolicy.c).
    const unsigned long bits = nodes.empty() ? 0 : nodes.size() * 8 * sizeof(unsigned long) + 1;
    int error = sys::SetMemoryPolicy(process.memory_policy->mode, nodes.empty() ? nullptr : nodes.data(), bits);
    if (error < 0) return error;
  }
  *step = kStepPersonality;
  if (process.personality) {
    if (int error = sys::SetPersonality(*process.personality); error < 0) return error;
  }
  return 0;
}

int SwitchUser(const Plan& plan, uint32_t* step) {
  *step = kStepCapabilities;
  if (int error = PrepareCapabilities(plan); error < 0) return error;
  *step = kStepGroups;
  if (int error = SetGroupsExactly(plan.process); error < 0) return error;
  *step = kStepGid;
  if (int error = sys::SetResGid(plan.gid); error < 0) return error;
  *step = kStepUid;
  return sys::SetResUid(plan.uid);
}

// ---- the program ----

int MayExecute(const char* path) {
  // No magic link: /proc/self/exe would be the runtime itself (CVE-2019-5736), /proc/self/fd/N whatever is open.
  int fd = sys::OpenAt2(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_MAGICLINKS);
  if (fd < 0) return fd;
  struct stat found;
  int error = sys::Fstat(fd, &found);
  if (error == 0 && !S_ISREG(found.st_mode)) error = -EACCES;
  if (error == 0) error = sys::MayAccess(fd, X_OK);
  sys::Close(fd);
  return error;
}

// As execvp(3): one that isn't there or may not be executed is passed over.
int FindProgram(const Plan& plan, const char** program) {
  int result = -ENOENT;
  for (const char* candidate : plan.candidates) {
    if (candidate == nullptr) break;
    int error = MayExecute(candidate);
    if (error == 0) {
      *program = candidate;
      return 0;
    }
    if (error == -EACCES || error == -EPERM) {
      result = -EACCES;
    } else if (error != -ENOENT && error != -ENOTDIR) {
      return error;
    }
  }
  return result;
}

}  // namespace

int SetInitialAffinity(const Plan& plan) {
  const std::vector<unsigned long>& mask = plan.process.initial_affinity;
  return mask.empty() ? 0 : sys::SetAffinity(mask.data(), mask.size() * sizeof(unsigned long));
}

int PrepareToJoin(const Plan& plan, uint32_t* step) {
  *step = kStepInitialAffinity;
  if (int error = SetInitialAffinity(plan); error < 0) return error;
  *step = kStepOomScore;
  const std::string& score = plan.process.oom_score_adj;
  if (score.empty()) return 0;
  int fd = sys::OpenAt(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY);
  if (fd < 0) return fd;
  long written = sys::Write(fd, score.data(), score.size());
  sys::Close(fd);
  return written < 0 ? static_cast<int>(written) : 0;
}

int ApplyProcessStep(const Step& step, const RootState& state) {
  switch (step.op) {
    case Op::kSysctl:
      return WriteSysctl(step);
    case Op::kTimeNamespace:
      return EnterTimeNamespace(step);
    case Op::kAppArmorLabel:
    case Op::kSelinuxLabel:
      return WriteLabel(step);
    case Op::kSessionKeyring:
      return NewKeyring();
    case Op::kWorkingFolder:
      return MakeWorkingFolder(step, state.root);
    default:
      return -EINVAL;
  }
}

Settled SettleProcess(const Plan& plan) {
  auto failed = [](uint32_t step, int error) { return Settled{step, error, nullptr}; };
  uint32_t step = 0;
  // As root, and again as the user where root may not (a folder of the user's on NFS or FUSE).
  const int first = sys::Chdir(plan.cwd);
  if (first < 0 && first != -EACCES && first != -EPERM) return failed(kStepChdir, first);
  if (int error = OwnStreams(plan); error < 0) return failed(kStepStreams, error);
  if (plan.process.home != nullptr) FillHome(plan.process.home, plan.uid);
  if (int error = SetScheduling(plan.process, &step); error < 0) return failed(step, error);
  if (int error = SwitchUser(plan, &step); error < 0) return failed(step, error);
  if (first < 0) {
    if (int error = sys::Chdir(plan.cwd); error < 0) return failed(kStepChdir, error);
  }
  if (int error = CheckWorkingFolder(); error < 0) return failed(kStepChdir, error);
  if (int error = SetCapabilitiesExactly(plan); error < 0) return failed(kStepCapabilities, error);
  // Changing ids may have made it dumpable again (prctl(2), PR_SET_DUMPABLE).
  if (int error = sys::Prctl(PR_SET_DUMPABLE, 0); error < 0) return failed(kStepNotDumpable, error);
  if (plan.no_new_privileges) {
    if (int error = sys::Prctl(PR_SET_NO_NEW_PRIVS, 1); error < 0) return failed(kStepNoNewPrivileges, error);
  }
  if (plan.use_landlock) {
    LandlockFailure failure{};
    if (int error = ApplyLandlock(plan.landlock, &failure); error < 0) return failed(kStepLandlock, error);
  }
  ::umask(static_cast<mode_t>(plan.umask));
  Settled settled;
  settled.step = kStepFindProgram;
  settled.error = FindProgram(plan, &settled.program);
  return settled;
}

int InstallFilters(const Plan& plan, int parent) {
  for (const SeccompProgram& program : plan.seccomp) {
    int result = sys::SeccompSetFilter(program.code.data(), program.code.size(), program.flags);
    if (result < 0) return result;
    if (!program.notifies) continue;
    // Between these two calls nobody could answer a notification: CheckListener keeps sendmsg(2) free of them.
    if (int error = Tell(parent, Word::kListener, result); error < 0) return error;
    sys::Close(result);
  }
  return 0;
}

int SetLimits(const Plan& plan, int* resource) {
  for (const Rlimit& limit : plan.rlimits) {
    *resource = limit.resource;
    if (int error = sys::SetRlimit(limit.resource, limit.soft, limit.hard); error < 0) return error;
  }
  return 0;
}

}  // namespace mxc::sandbox
