#include "linux_runtime/sandbox/build_plan.h"

#include <sys/prctl.h>

#include <algorithm>
#include <fstream>

#include "linux_runtime/sandbox/bundle_plan.h"
#include "linux_runtime/sandbox/guard_filter.h"
#include "linux_runtime/sandbox/linux_attributes.h"
#include "linux_runtime/sandbox/mount_plan.h"
#include "linux_runtime/sandbox/network_plan.h"
#include "linux_runtime/sandbox/process_attributes.h"
#include "linux_runtime/sandbox/seccomp_cache.h"
#include "linux_runtime/sandbox/seccomp_listener.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/seccomp.h"

namespace mxc::sandbox {
namespace {

constexpr std::pair<const char*, uint64_t> kNamespaces[] = {
    {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},       {"network", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},  {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME}};

std::string At(const char* list, size_t index) { return std::string(list) + "/" + std::to_string(index); }

Step& Add(Plan& plan, Op op) {
  Step& step = plan.steps.emplace_back();
  step.op = op;
  return step;
}

Result<uint64_t> Namespaces(const oci::Spec& spec) {
  uint64_t flags = 0;
  for (size_t index = 0; index < spec.linux.namespaces.size(); ++index) {
    const oci::Namespace& wanted = spec.linux.namespaces[index];
    if (!wanted.path.empty()) {
      return Error(Code::kUnsupported,
                   At("/linux/namespaces", index) + ": joining " + wanted.path + " is not built yet");
    }
    auto known = std::find_if(std::begin(kNamespaces), std::end(kNamespaces),
                              [&](const auto& kind) { return wanted.type == kind.first; });
    if (known == std::end(kNamespaces)) {
      return Error(Code::kInvalid, At("/linux/namespaces", index) + ": no namespace is called \"" + wanted.type + "\"");
    }
    flags |= known->second;
  }
  if ((flags & CLONE_NEWNS) == 0) {
    return Error(Code::kUnsupported, "/linux/namespaces: a sandbox needs a mount namespace of its own");
  }
  return flags;
}

void MapOne(Plan& plan, uint32_t inside_uid, uint32_t outside_uid, uint32_t inside_gid, uint32_t outside_gid) {
  plan.uid_map = {{inside_uid, outside_uid, 1}};
  plan.gid_map = {{inside_gid, outside_gid, 1}};
}

std::string MapLine(const IdRange& range) {
  return std::to_string(range.inside) + " " + std::to_string(range.outside) + " " + std::to_string(range.count);
}

Result<void> PlanIds(Plan& plan, const oci::Spec& spec, const oci::Extension& extension, const PlanContext& context) {
  if (extension.own_session && !context.own_session) {
    return Error(Code::kUnsupported,
                 "x-linux.isolation \"session\": ids and a home that nobody else has come from root's mxcd, for a "
                 "session")
        .WithHint("start mxcd as root and make a session (`mxc provision`), or set x-linux.isolation to \"process\"");
  }
  const bool user_namespace = (plan.namespaces & CLONE_NEWUSER) != 0;
  if (!user_namespace) {
    if (!context.privileged) {
      return Error(Code::kUnsupported, "/linux/namespaces: without a user namespace only root can start a sandbox")
          .WithHint("leave x-linux.identity at \"caller\"");
    }
    return {};
  }
  if (extension.identity == oci::Identity::kCaller) {
    if (context.privileged) {
      MapOne(plan, plan.uid, context.id_base, plan.gid, context.id_base);
      plan.parent_writes_maps = true;
    } else {
      MapOne(plan, plan.uid, context.uid, plan.gid, context.gid);
    }
  } else {
    for (const oci::IdMapping& map : spec.linux.uid_mappings)
      plan.uid_map.push_back({map.container_id, map.host_id, map.size});
    for (const oci::IdMapping& map : spec.linux.gid_mappings)
      plan.gid_map.push_back({map.container_id, map.host_id, map.size});
    if (plan.uid_map.empty() || plan.gid_map.empty()) {
      return Error(Code::kInvalid, "/linux/uidMappings, /linux/gidMappings: a user namespace needs both");
    }
    bool own_only = plan.uid_map.size() == 1 && plan.gid_map.size() == 1 && plan.uid_map[0].count == 1 &&
                    plan.gid_map[0].count == 1 && plan.uid_map[0].outside == context.uid &&
                    plan.gid_map[0].outside == context.gid;
    plan.parent_writes_maps = context.privileged || !own_only;
    plan.use_newidmap = !context.privileged && !own_only;
  }
  if (plan.parent_writes_maps) {
    Add(plan, Op::kAwaitParent);
  } else {
    Step& step = Add(plan, Op::kMapSelf);
    step.text = plan.Intern(MapLine(plan.uid_map[0]));
    step.path = plan.Intern(MapLine(plan.gid_map[0]));
    plan.notes.push_back("supplementary groups of the caller stay: without privilege they can't be dropped");
  }
  return {};
}

// Joined, an intermediate process enters the group, before it gives up the rights to.
void PlanCgroup(Plan& plan, const PlanContext& context) {
  if (!plan.bundle.joins.empty()) {
    plan.bundle.join_cgroup = context.cgroup_tasks;
    return;
  }
  if (context.cgroup_directory >= 0) {
    plan.cgroup_fd = context.cgroup_directory;
    return;
  }
  if (context.cgroup_tasks.empty()) return;
  for (int fd : context.cgroup_tasks) Add(plan, Op::kJoinCgroup).fd = fd;
  // The namespace's root is where the process is when it is made, so it has to be made after joining.
  if ((plan.namespaces & CLONE_NEWCGROUP) != 0) {
    plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWCGROUP);
    Add(plan, Op::kUnshareCgroup);
  }
}

Result<void> PlanFilters(Plan& plan, const oci::Spec& spec, const oci::Extension& extension,
                         const PlanContext& context) {
  if (extension.any()) {
    plan.seccomp.push_back(GuardFilter());
  } else if (context.bundle && context.wsl) {
    // Elsewhere a bundle gets what its spec says. io_uring makes sockets, too, without a call that a filter sees.
    plan.seccomp.push_back(GuardFilter({.vsock = true, .io_uring = true, .foreign = false}));
  }
  if (spec.linux.seccomp) {
    SeccompCache cache(context.seccomp_cache);
    SeccompProgram program = MXC_TRY_AS("/linux/seccomp", cache.Get(*spec.linux.seccomp));
    if (program.notifies) {
      if (!context.bundle)
        return Error(Code::kUnsupported, "/linux/seccomp: SCMP_ACT_NOTIFY: nobody answers for a sandbox's program");
      MXC_TRY(CheckListener(*spec.linux.seccomp));
    }
    if (!sys::SeccompTakesFlags(program.flags)) {
      return Error(Code::kUnsupported, "/linux/seccomp/flags: this kernel doesn't know all of them");
    }
    plan.seccomp.push_back(std::move(program));
  }
  return {};
}

void PlanConsole(Plan& plan, const oci::Process& process, bool on_dev_console) {
  Add(plan, Op::kConsole).mode = on_dev_console ? 1 : 0;
  if (!process.console_size) return;
  plan.bundle.rows = static_cast<uint16_t>(std::min<uint64_t>(process.console_size->height, UINT16_MAX));
  plan.bundle.columns = static_cast<uint16_t>(std::min<uint64_t>(process.console_size->width, UINT16_MAX));
}

// Whether programs inside can make user and mount namespaces, and mount there.
bool MayNest(const Plan& plan, const oci::Spec& spec, const oci::Extension& extension) {
  if (plan.use_landlock && plan.landlock.handled_files != 0) return false;  // forbids mounting in any namespace
  if (extension.nesting || !spec.linux.seccomp || spec.linux.seccomp->default_action == "SCMP_ACT_ALLOW") return true;
  // Lists of ours let these pass under a condition on their flags where they don't mean it.
  constexpr const char* kMakers[] = {"clone", "clone3", "unshare"};
  return std::any_of(spec.linux.seccomp->syscalls.begin(), spec.linux.seccomp->syscalls.end(), [&](const auto& rule) {
    return rule.action == "SCMP_ACT_ALLOW" && rule.args.empty() &&
           std::any_of(std::begin(kMakers), std::end(kMakers), [&](const char* maker) {
             return std::find(rule.names.begin(), rule.names.end(), maker) != rule.names.end();
           });
  });
}

bool HasCovers(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [](const Step& step) { return step.op == Op::kCover; });
}

// Denied paths need an object to cover them with, made before the first is attached.
Result<void> PlanCovers(Plan& plan, const PlanContext& context, size_t first_mount) {
  if (!HasCovers(plan)) return {};
  if (!context.privileged) {
    Step step;
    step.op = Op::kMakeCovers;
    step.optional = !context.bundle;
    plan.steps.insert(plan.steps.begin() + static_cast<ptrdiff_t>(first_mount), step);
    return {};
  }
  // The host's own ids inside: every owner has an id there, so a mount of the cover that shows it none has to do.
  const CoverIdentity identity = IdentityOfCovers(plan);
  sys::UniqueFd unmapped(identity.unmapped ? MakeUnmappedNamespace() : -1);
  int error = MakeCoverBase(&plan.covers, unmapped.valid() ? 0 : identity.owner, unmapped.get());
  if (error == -EINVAL && unmapped.valid() && !context.bundle)
    error = MakeCoverBase(&plan.covers, identity.owner, -1);  // before Linux 6.3, where the program has no capability
  if (error >= 0) {
    error = SplitCovers(&plan.covers, nullptr);
    if (error == -EINVAL) error = 0;  // before Linux 6.15 the child copies it
  }
  if (error < 0) return Error(Code::kSystem, "make the object that covers denied paths").WithErrno(-error);
  for (int fd : {plan.covers.base, plan.covers.directory, plan.covers.file}) {
    if (fd >= 0) plan.Own(sys::UniqueFd(fd));
  }
  return {};
}

}  // namespace

CoverIdentity IdentityOfCovers(const Plan& plan) {
  constexpr uint32_t kNobody = 65534;
  if ((plan.namespaces & CLONE_NEWUSER) == 0) return {kNobody, true};
  auto mapped = [&](uint32_t id) {
    auto holds = [id](const IdRange& range) { return id >= range.outside && id - range.outside < range.count; };
    return std::any_of(plan.uid_map.begin(), plan.uid_map.end(), holds) ||
           std::any_of(plan.gid_map.begin(), plan.gid_map.end(), holds);
  };
  if (!mapped(0)) return {0, false};
  return {kNobody, mapped(kNobody)};
}

bool IsCapable() {
  struct {
    uint32_t version;
    int pid;
  } header{0x20080522, 0};
  uint32_t data[6] = {};
  if (sys::CapGet(&header, data) < 0) return false;
  constexpr int kSysAdmin = 21;
  return (data[0] >> kSysAdmin & 1) != 0;
}

bool IsPrivileged() {
  if (::geteuid() != 0) return false;
  // In a user namespace, uid 0 is not the host's root: the initial one maps every id to itself.
  std::ifstream map("/proc/self/uid_map");
  uint64_t inside = 1, outside = 1, count = 0;
  map >> inside >> outside >> count;
  if (inside != 0 || outside != 0 || count != 4294967295u) return false;
  return IsCapable();
}

Result<Plan> BuildPlan(const oci::Spec& spec, const oci::Extension& extension, const PlanContext& context) {
  if (!spec.process) return Error(Code::kInvalid, "/process: missing").WithHint("say what to run in process.args");
  MXC_TRY(context.bundle ? RefuseSandboxFields(extension) : RefuseBundleFields(spec));
  Plan plan;
  plan.bundle.wanted = context.bundle;
  plan.process.user_namespace = FindNamespace(spec, "user") != nullptr;
  plan.process.keep_groups = context.bundle && KeepsGroups(spec);
  plan.uid = spec.process->user.uid;
  plan.gid = spec.process->user.gid;
  plan.disk_uid = context.uid;
  plan.disk_gid = context.gid;
  plan.reaper = extension.init;
  if (context.bundle) {
    plan.namespaces = MXC_TRY(PlanBundleNamespaces(plan, spec));
    PlanCgroup(plan, context);
    MXC_TRY(PlanTimeOffsets(plan, spec));
    MXC_TRY(PlanBundleIds(plan, spec, context));
  } else {
    plan.namespaces = MXC_TRY(Namespaces(spec));
    MXC_TRY(PlanIds(plan, spec, extension, context));
    PlanCgroup(plan, context);
    Step& ids = Add(plan, Op::kSetIds);
    ids.flags = plan.uid;
    ids.extra = plan.gid;
    ids.mode = context.privileged ? 1 : 0;
  }
  MXC_TRY(PlanNetwork(plan, extension, context));
  Add(plan, Op::kTieToParent);
  Add(plan, Op::kPrivateMounts).propagation = context.bundle ? MS_SLAVE : MS_PRIVATE;
  if ((plan.namespaces & CLONE_NEWNET) != 0) Add(plan, Op::kLoopbackUp);
  if (!spec.hostname.empty()) Add(plan, Op::kHostname).text = plan.Intern(spec.hostname);
  if (!spec.domainname.empty()) Add(plan, Op::kDomainname).text = plan.Intern(spec.domainname);

  const size_t first_mount = plan.steps.size();
  const bool user_namespace = (plan.namespaces & CLONE_NEWUSER) != 0;
  MountPlanner mounts(plan, spec, extension, context,
                      context.bundle ? context.capable : context.privileged && user_namespace);
  MXC_TRY(context.bundle ? mounts.BuildBundle() : mounts.Build());
  MXC_TRY(PlanCovers(plan, context, first_mount));
  if (extension.init) {
    for (const oci::Mount& mount : spec.mounts) {
      if (mount.destination == "/dev" && mount.type == "tmpfs") {
        Step& seal = Add(plan, Op::kSealMount);
        seal.path = "/dev";
      }
    }
  }
  if (extension.empty_root) Add(plan, Op::kSealMount).path = "/";
  if (context.bundle) MXC_TRY(PlanHooks(plan, spec.hooks, context.bundle_path));
  if (context.bundle) MXC_TRY(PlanBeforeRoot(plan, spec, context));
  Step& enter = Add(plan, Op::kEnterRoot);
  enter.optional = context.no_pivot;
  enter.flags = plan.guarded.empty() ? 0 : 1;
  if (context.bundle && spec.process->terminal) PlanConsole(plan, *spec.process, true);
  if (context.bundle) mounts.FinishBundle();
  if (!plan.guarded.empty()) Add(plan, Op::kMeetParent);

  MXC_TRY(PlanProcess(plan, *spec.process, context));
  if (extension.landlock && extension.landlock->enabled) {
    oci::LandlockSpec landlock = *extension.landlock;
    if (extension.nesting) landlock.files = false;
    plan.landlock = MXC_TRY_AS("/annotations/dev.mxc.landlock",
                               PlanLandlock(context.landlock_abi, mounts.LandlockPaths(), landlock));
    plan.use_landlock = plan.landlock.enabled();
    plan.notes.insert(plan.notes.end(), plan.landlock.notes.begin(), plan.landlock.notes.end());
  }
  MXC_TRY(mounts.CheckSeals());
  // A plain bundle gets what its spec says; only what it says of denied paths has to hold.
  const bool holds = context.bundle ? !plan.guarded.empty() : extension.any();
  if (context.bundle) MXC_TRY(CheckDenialsHold(plan, extension, context));
  if (holds && MayNest(plan, spec, extension)) MXC_TRY(mounts.CheckNesting());
  if (mounts.needs_landlock() && (!plan.use_landlock || plan.landlock.handled_files == 0)) {
    return Error(Code::kUnsupported,
                 "x-linux.on_missing \"seal\" needs Landlock's rules for files, which this run doesn't have")
        .WithHint("use a kernel with Landlock (5.13), leave x-linux.nesting off, or set on_missing to \"refuse\"");
  }
  MXC_TRY(PlanFilters(plan, spec, extension, context));
  if (context.bundle) MXC_TRY(FinishBundlePlan(plan, spec, context));
  if constexpr (kWeakenable) WeakenPlan(plan);
  return plan;
}

Result<Plan> BuildExecPlan(const oci::Spec& spec, const oci::Extension& extension, const PlanContext& context,
                           const JoinedNamespace& container, const LandlockPlan* landlock) {
  if (!spec.process) return Error(Code::kInvalid, "/process: missing");
  Plan plan;
  plan.bundle.wanted = true;
  plan.process.user_namespace = (container.type & CLONE_NEWUSER) != 0;
  plan.process.keep_groups = KeepsGroups(spec);
  if (container.type != 0) plan.bundle.joins.push_back(container);
  plan.bundle.join_cgroup = context.cgroup_tasks;
  plan.uid = spec.process->user.uid;
  plan.gid = spec.process->user.gid;
  plan.reaper = false;
  if (plan.process.user_namespace) PlanSetUpIds(plan, spec);
  Add(plan, Op::kTieToParent);
  if (context.new_keyring) Add(plan, Op::kSessionKeyring);
  MXC_TRY(PlanLabels(plan, *spec.process));
  if (spec.process->terminal) PlanConsole(plan, *spec.process, false);
  MXC_TRY(PlanProcess(plan, *spec.process, context));
  if (landlock != nullptr) plan.landlock = *landlock;
  plan.use_landlock = plan.landlock.enabled();
  MXC_TRY(CheckDenialsHold(plan, extension, context));
  MXC_TRY(PlanFilters(plan, spec, extension, context));
  MXC_TRY(FinishBundlePlan(plan, spec, context));
  return plan;
}

}  // namespace mxc::sandbox
