#include "linux_runtime/sandbox/linux_attributes.h"

#include <linux/magic.h>
#include <sys/personality.h>
#include <sys/vfs.h>

#include <map>
#include <set>

#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/process_attributes.h"
#include "linux_runtime/sandbox/process_names.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

Step& Add(Plan& plan, Op op) {
  Step& step = plan.steps.emplace_back();
  step.op = op;
  return step;
}

// The host's /proc, for the child: what it opens there is about itself and its own namespaces.
Result<int> OpenHostProc(Plan& plan) {
  sys::UniqueFd proc(sys::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY));
  if (!proc.valid()) return sys::SystemError("open /proc", -proc.get());
  struct statfs found {};
  if (::fstatfs(proc.get(), &found) != 0) return sys::SystemError("look at /proc", errno);
  if (found.f_type != PROC_SUPER_MAGIC)
    return Error(Code::kSystem, "/proc is not the kernel's: another file system covers it");
  return plan.Own(std::move(proc));
}

// The kind of namespace that keeps a parameter to the container; nullptr: none does.
const char* NamespaceOfSysctl(std::string_view path) {
  static const std::set<std::string_view> kIpc = {"kernel/msgmax", "kernel/msgmnb",         "kernel/msgmni",
                                                  "kernel/sem",    "kernel/shmall",         "kernel/shmmax",
                                                  "kernel/shmmni", "kernel/shm_rmid_forced"};
  if (path.starts_with("net/")) return "network";
  if (kIpc.contains(path) || path.starts_with("fs/mqueue/")) return "ipc";
  if (path == "kernel/domainname") return "uts";
  return nullptr;
}

const char* ProcNameOf(std::string_view type) { return type == "network" ? "net" : type == "ipc" ? "ipc" : "uts"; }

// A namespace joined by its path may be the host's own.
Result<void> CheckNotTheHosts(const oci::Namespace& wanted, const std::string& field) {
  if (wanted.path.empty()) return {};
  struct stat theirs {
  }, ours{};
  const std::string own = std::string("/proc/self/ns/") + ProcNameOf(wanted.type);
  if (::stat(wanted.path.c_str(), &theirs) != 0) return sys::SystemError(field + "look at " + wanted.path, errno);
  if (::stat(own.c_str(), &ours) != 0) return sys::SystemError(field + "look at " + own, errno);
  if (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino) return {};
  return Error(Code::kInvalid,
               field + wanted.path + " is the " + wanted.type + " namespace of the host, which this would change");
}

Result<void> PlanSysctl(Plan& plan, const oci::Spec& spec) {
  if (spec.linux.sysctl.empty()) return {};
  const int proc = MXC_TRY(OpenHostProc(plan));
  for (const auto& [name, value] : spec.linux.sysctl) {
    const std::string field = "/linux/sysctl/" + name + ": ";
    const std::string path = SysctlPath(name);
    if (path == "kernel/hostname") {
      return Error(Code::kInvalid, field + "a container's host name is set by the field /hostname");
    }
    const char* kind = NamespaceOfSysctl(path);
    if (kind == nullptr)
      return Error(Code::kInvalid, field + "this parameter belongs to no namespace and would change the host");
    const oci::Namespace* wanted = FindNamespace(spec, kind);
    if (wanted == nullptr) {
      return Error(Code::kInvalid, field + "without a " + kind + " namespace this would change the host");
    }
    MXC_TRY(CheckNotTheHosts(*wanted, field));
    Step& step = Add(plan, Op::kSysctl);
    step.fd = proc;
    step.path = plan.Intern("sys/" + path);
    step.text = plan.Intern(value);
  }
  return {};
}

// "Y" or "N"; the file is missing without the module.
bool AppArmorEnabled() {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", O_RDONLY));
  char enabled = 'N';
  return file.valid() && sys::Read(file.get(), &enabled, 1) == 1 && enabled == 'Y';
}

bool SelinuxEnabled() {
  struct statfs found {};
  return ::statfs("/sys/fs/selinux", &found) == 0 && found.f_type == SELINUX_MAGIC;
}

Result<void> PlanNetDevices(ProcessPlan& process, const oci::Spec& spec) {
  if (spec.linux.net_devices.empty()) return {};
  const oci::Namespace* wanted = FindNamespace(spec, "network");
  if (wanted == nullptr)
    return Error(Code::kInvalid, "/linux/netDevices: without a network namespace in /linux/namespaces");
  process.network_path = wanted->path;
  for (const auto& [name, device] : spec.linux.net_devices) process.net_devices.push_back({name, device.name});
  return {};
}

Result<MemoryPolicy> PlanMemoryPolicy(const oci::MemoryPolicy& wanted) {
  MemoryPolicy policy;
  std::optional<int> mode = MemoryPolicyMode(wanted.mode);
  if (!mode) return Error(Code::kInvalid, "/linux/memoryPolicy/mode: no mode is called \"" + wanted.mode + "\"");
  policy.mode = *mode;
  for (size_t index = 0; index < wanted.flags.size(); ++index) {
    std::optional<int> flag = MemoryPolicyFlag(wanted.flags[index]);
    if (!flag) {
      return Error(Code::kInvalid, "/linux/memoryPolicy/flags/" + std::to_string(index) + ": no flag is called \"" +
                                       wanted.flags[index] + "\"");
    }
    policy.mode |= *flag;
  }
  policy.nodes = MXC_TRY_AS("/linux/memoryPolicy/nodes", ParseNumberList(wanted.nodes));
  return policy;
}

Result<unsigned long> PlanPersonality(const oci::Personality& wanted) {
  if (!wanted.flags.empty())
    return Error(Code::kInvalid, "/linux/personality/flags: the specification defines no flag");
  if (wanted.domain == "LINUX") return static_cast<unsigned long>(PER_LINUX);
  if (wanted.domain == "LINUX32") return static_cast<unsigned long>(PER_LINUX32);
  return Error(Code::kInvalid, "/linux/personality/domain: \"" + wanted.domain + "\" is not LINUX or LINUX32");
}

}  // namespace

const oci::Namespace* FindNamespace(const oci::Spec& spec, std::string_view type) {
  for (const oci::Namespace& one : spec.linux.namespaces) {
    if (one.type == type) return &one;
  }
  return nullptr;
}

Result<void> RefuseBundleFields(const oci::Spec& spec) {
  static const oci::Process kNone;
  const oci::Process& process = spec.process ? *spec.process : kNone;
  const std::pair<const char*, bool> kFields[] = {
      {"/process/user/additionalGids", !process.user.additional_gids.empty()},
      {"/process/oomScoreAdj", process.oom_score_adj.has_value()},
      {"/process/scheduler", process.scheduler.has_value()},
      {"/process/ioPriority", process.io_priority.has_value()},
      {"/process/apparmorProfile", !process.apparmor_profile.empty()},
      {"/process/selinuxLabel", !process.selinux_label.empty()},
      {"/linux/sysctl", !spec.linux.sysctl.empty()},
      {"/linux/timeOffsets", !spec.linux.time_offsets.empty()},
      {"/linux/netDevices", !spec.linux.net_devices.empty()},
      {"/linux/intelRdt", spec.linux.intel_rdt.has_value()},
      {"/linux/memoryPolicy", spec.linux.memory_policy.has_value()},
      {"/linux/personality", spec.linux.personality.has_value()},
  };
  for (const auto& [field, given] : kFields) {
    if (!given) continue;
    return Error(Code::kUnsupported, std::string(field) + ": a sandbox has no such attribute")
        .WithHint("run it as a bundle, by mxc-runtime");
  }
  return {};
}

bool KeepsGroups(const oci::Spec& spec) {
  auto annotation = spec.annotations.find("run.oci.keep_original_groups");
  return annotation != spec.annotations.end() && annotation->second == "1";
}

Result<void> RefuseSandboxFields(const oci::Extension& extension) {
  const std::pair<bool, const char*> fields[] = {{extension.empty_root, "root"},
                                                 {!extension.files.empty(), "files"},
                                                 {!extension.if_present.empty(), "if-present"},
                                                 {!extension.caller_owned.empty(), "caller-owned"},
                                                 {extension.identity != oci::Identity::kSpec, "identity"},
                                                 {!extension.windows.empty(), "windows"},
                                                 {extension.own_session, "isolation"},
                                                 {extension.init, "init"},
                                                 {extension.timeout_ms != 0, "timeout-ms"},
                                                 {!extension.named_limits.empty(), "named-limits"}};
  for (const auto& [given, name] : fields) {
    if (!given) continue;
    return Error(Code::kUnsupported, std::string("/annotations/") + oci::kAnnotationPrefix + name +
                                         ": only sandboxes of `mxc run` have that, not the containers of a bundle")
        .WithHint("leave it out, or give the configuration to `mxc run --spec`");
  }
  return {};
}

Result<void> CheckDenialsHold(const Plan& plan, const oci::Extension& extension, const PlanContext& context) {
  if (extension.denied.empty() && extension.protect.empty()) return {};
  const std::string field =
      std::string("/annotations/") + oci::kAnnotationPrefix + (extension.denied.empty() ? "protect" : "denied") + ": ";
  if (!context.exec && (plan.namespaces & CLONE_NEWPID) == 0) {
    return Error(Code::kRefused, field +
                                     "needs a pid namespace of the container's own (/linux/namespaces): when a path " +
                                     "can't be kept shut any more, its end has to be the end of every process inside");
  }
  for (const Step& step : plan.steps) {
    const bool shared = (step.op == Op::kPropagation ? step.flags : step.propagation) & MS_SHARED;
    if (!shared) continue;
    return Error(Code::kRefused, field + "what is mounted over such a path would appear on the host, too: " +
                                     step.path + " is shared with it (/linux/rootfsPropagation, /mounts options)");
  }
  constexpr int kDacReadSearch = 2, kSysModule = 16, kSysRawio = 17, kSysAdmin = 21;
  for (int capability : {kSysAdmin, kDacReadSearch, kSysModule, kSysRawio}) {
    // In a user namespace the others give nothing: open_by_handle_at(2), modules and raw devices ask for the host's.
    if (plan.process.user_namespace && capability != kSysAdmin) continue;
    if (((plan.bounding | plan.permitted) >> capability & 1) == 0) continue;
    return Error(Code::kRefused, field + "with " + CapabilityName(capability) +
                                     " (/process/capabilities) a program gets past what is denied or protected")
        .WithHint("take that capability out of all sets, or the annotation");
  }
  return {};
}

Result<void> FinishBundlePlan(Plan& plan, const oci::Spec& spec, const PlanContext& context) {
  ProcessPlan& process = plan.process;
  if (spec.linux.memory_policy) process.memory_policy = MXC_TRY(PlanMemoryPolicy(*spec.linux.memory_policy));
  if (spec.linux.personality) process.personality = MXC_TRY(PlanPersonality(*spec.linux.personality));

  if (spec.linux.intel_rdt) {
    process.rdt = MXC_TRY(PlanIntelRdt(*spec.linux.intel_rdt, context.container_id, FindResctrl()));
    // Another process goes where the first one went.
    if (context.exec) {
      process.rdt->schemata.clear();
      process.rdt->must_exist = true;
    }
  }
  if (!context.exec) MXC_TRY(PlanNetDevices(process, spec));

  constexpr uint64_t kSysAdmin = uint64_t{1} << 21;
  process.admin_until_exec = !plan.seccomp.empty() && !plan.no_new_privileges && (plan.effective & kSysAdmin) == 0;
  for (const SeccompProgram& program : plan.seccomp) process.filters_early |= program.notifies;

  if (process.needs_parent() && !plan.parent_writes_maps) {
    Step wait;
    wait.op = Op::kAwaitParent;
    plan.steps.insert(plan.steps.begin(), wait);
  }
  return {};
}

std::string SysctlPath(std::string_view name) {
  std::string path(name);
  const size_t first = path.find_first_of("./");
  if (first == std::string::npos || path[first] == '/') return path;
  for (char& letter : path) letter = letter == '.' ? '/' : letter == '/' ? '.' : letter;
  return path;
}

Result<void> PlanBeforeRoot(Plan& plan, const oci::Spec& spec, const PlanContext& context) {
  if (context.new_keyring) Add(plan, Op::kSessionKeyring);
  if (spec.process && spec.process->cwd.size() > 1) {
    Add(plan, Op::kWorkingFolder).path = plan.Intern(spec.process->cwd);
  }
  MXC_TRY(PlanSysctl(plan, spec));
  return spec.process ? PlanLabels(plan, *spec.process) : Result<void>();
}

Result<void> PlanTimeOffsets(Plan& plan, const oci::Spec& spec) {
  const std::map<std::string, oci::TimeOffset>& offsets = spec.linux.time_offsets;
  if (offsets.empty()) return {};
  const oci::Namespace* wanted = FindNamespace(spec, "time");
  if (wanted == nullptr)
    return Error(Code::kInvalid, "/linux/timeOffsets: without a time namespace in /linux/namespaces");
  if (!wanted->path.empty()) {
    return Error(Code::kInvalid, "/linux/timeOffsets: the time namespace " + wanted->path + " has its offsets already");
  }
  std::string lines;
  for (const auto& [clock, offset] : offsets) {
    if (clock != "monotonic" && clock != "boottime") {
      return Error(Code::kInvalid,
                   "/linux/timeOffsets/" + clock + ": not a clock with an offset (monotonic, boottime)");
    }
    lines += clock + " " + std::to_string(offset.secs) + " " + std::to_string(offset.nanosecs) + "\n";
  }
  plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWTIME);
  const int proc = MXC_TRY(OpenHostProc(plan));
  Step& step = Add(plan, Op::kTimeNamespace);
  step.fd = proc;
  step.text = plan.Intern(lines);
  return {};
}

Result<void> PlanLabels(Plan& plan, const oci::Process& process) {
  if (process.apparmor_profile.empty() && process.selinux_label.empty()) return {};
  if (!process.apparmor_profile.empty() && !AppArmorEnabled()) {
    return Error(Code::kUnsupported, "/process/apparmorProfile: \"" + process.apparmor_profile +
                                         "\" is asked for, but this kernel "
                                         "runs without AppArmor");
  }
  if (!process.selinux_label.empty() && !SelinuxEnabled()) {
    return Error(Code::kUnsupported, "/process/selinuxLabel: \"" + process.selinux_label +
                                         "\" is asked for, but this kernel runs "
                                         "without SELinux");
  }
  const int proc = MXC_TRY(OpenHostProc(plan));
  auto add = [&](Op op, const char* path, const std::string& text) {
    Step& step = Add(plan, op);
    step.fd = proc;
    step.path = path;
    step.text = plan.Intern(text);
  };
  if (!process.apparmor_profile.empty()) {
    // The module's own folder is of Linux 5.8; before it the file is shared by all modules.
    const bool own = ::access("/proc/self/attr/apparmor/exec", F_OK) == 0;
    add(Op::kAppArmorLabel, own ? "self/attr/apparmor/exec" : "self/attr/exec", "exec " + process.apparmor_profile);
  }
  if (!process.selinux_label.empty()) add(Op::kSelinuxLabel, "self/attr/exec", process.selinux_label);
  return {};
}

}  // namespace mxc::sandbox
