#include "linux_runtime/sandbox/process_attributes.h"

#include <sys/prctl.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/process_names.h"
#include "linux_runtime/sandbox/program_request.h"
#include "linux_runtime/sys/process.h"

namespace mxc::sandbox {
namespace {

constexpr int kSysResource = 24;

std::string At(const char* list, size_t index) { return std::string(list) + "/" + std::to_string(index); }

Result<uint64_t> CapabilitySet(const std::vector<std::string>& names, const char* field) {
  uint64_t set = 0;
  for (size_t index = 0; index < names.size(); ++index) {
    std::optional<int> number = CapabilityNumber(names[index]);
    if (!number) {
      return Error(Code::kInvalid, At(field, index) + ": no capability is called \"" + names[index] + "\"");
    }
    set |= uint64_t{1} << *number;
  }
  return set;
}

Result<void> PlanCapabilities(Plan& plan, const oci::Process& process) {
  if (!process.capabilities) return {};
  plan.bounding = MXC_TRY(CapabilitySet(process.capabilities->bounding, "/process/capabilities/bounding"));
  plan.permitted = MXC_TRY(CapabilitySet(process.capabilities->permitted, "/process/capabilities/permitted"));
  plan.effective = MXC_TRY(CapabilitySet(process.capabilities->effective, "/process/capabilities/effective"));
  plan.inheritable = MXC_TRY(CapabilitySet(process.capabilities->inheritable, "/process/capabilities/inheritable"));
  plan.ambient = MXC_TRY(CapabilitySet(process.capabilities->ambient, "/process/capabilities/ambient"));
  return {};
}

// What the child can put into its sets: in a user namespace everything that this kernel knows, else what the caller holds.
uint64_t GrantableCapabilities(const Plan& plan) {
  if (!plan.process.user_namespace) {
    sys::CapabilitySets mine;
    return sys::GetCapabilities(&mine) == 0 ? mine.permitted : 0;
  }
  uint64_t known = 0;
  for (int number = 0; number < 64 && sys::Prctl(PR_CAPBSET_READ, static_cast<unsigned long>(number)) >= 0; ++number) {
    known |= uint64_t{1} << number;
  }
  return known;
}

void Restrict(Plan& plan, uint64_t* set, uint64_t to, const char* name, const char* why) {
  for (int number = 0; number < 64; ++number) {
    if ((*set & ~to) >> number & 1) {
      plan.notes.push_back("/process/capabilities/" + std::string(name) + ": " + CapabilityName(number) +
                           " is not given: " + why);
    }
  }
  *set &= to;
}

// Keeps the sets within what capset(2) and PR_CAP_AMBIENT_RAISE can do; each capability left out is noted.
void FitCapabilities(Plan& plan) {
  const uint64_t grantable = GrantableCapabilities(plan);
  constexpr char kUnheld[] = "neither this kernel nor the caller has it to give";
  const std::pair<const char*, uint64_t*> kSets[] = {{"bounding", &plan.bounding},
                                                     {"permitted", &plan.permitted},
                                                     {"effective", &plan.effective},
                                                     {"inheritable", &plan.inheritable},
                                                     {"ambient", &plan.ambient}};
  for (auto [name, set] : kSets) Restrict(plan, set, grantable, name, kUnheld);
  Restrict(plan, &plan.effective, plan.permitted, "effective", "it is not in the permitted set");
  Restrict(plan, &plan.ambient, plan.permitted & plan.inheritable, "ambient",
           "it is not permitted and inheritable, too");
}

// A sandbox of ours keeps what it has where a hard limit can't be raised.
Result<void> PlanSandboxLimits(Plan& plan, const oci::Process& process) {
  for (size_t index = 0; index < process.rlimits.size(); ++index) {
    const oci::Rlimit& wanted = process.rlimits[index];
    std::optional<int> number = RlimitNumber(wanted.type);
    if (!number)
      return Error(Code::kInvalid, At("/process/rlimits", index) + ": no limit is called \"" + wanted.type + "\"");
    struct rlimit64 now {};
    if (sys::Prlimit(0, *number, nullptr, &now) != 0) continue;
    Rlimit limit{*number, wanted.soft, wanted.hard};
    if (limit.hard > now.rlim_max) {
      // Raising a hard limit takes CAP_SYS_RESOURCE in the initial user namespace, which the child doesn't have.
      plan.notes.push_back(wanted.type + " stays at " + std::to_string(now.rlim_max) +
                           ": a hard limit can't be raised here");
      limit.hard = now.rlim_max;
      limit.soft = std::min(limit.soft, limit.hard);
    }
    plan.rlimits.push_back(limit);
  }
  return {};
}

bool HoldsCapability(int number) {
  sys::CapabilitySets mine;
  return sys::GetCapabilities(&mine) == 0 && (mine.effective >> number & 1) != 0;
}

// A bundle gets each limit as written, or doesn't start.
Result<void> PlanLimits(Plan& plan, const oci::Process& process) {
  std::set<int> seen;
  for (size_t index = 0; index < process.rlimits.size(); ++index) {
    const oci::Rlimit& wanted = process.rlimits[index];
    const std::string field = At("/process/rlimits", index) + ": ";
    std::optional<int> number = RlimitNumber(wanted.type);
    if (!number) return Error(Code::kInvalid, field + "no limit is called \"" + wanted.type + "\"");
    if (!seen.insert(*number).second) return Error(Code::kInvalid, field + "a second " + wanted.type);
    if (wanted.soft > wanted.hard) return Error(Code::kInvalid, field + wanted.type + ": soft is more than hard");
    struct rlimit64 now {};
    if (sys::Prlimit(0, *number, nullptr, &now) == 0 && wanted.hard > now.rlim_max) {
      if (!HoldsCapability(kSysResource)) {
        return Error(Code::kUnsupported, field + "raise the hard limit " + wanted.type + " from " +
                                             std::to_string(now.rlim_max) + " to " + std::to_string(wanted.hard) +
                                             ": that takes CAP_SYS_RESOURCE")
            .WithErrno(EPERM)
            .WithHint("ask for " + std::to_string(now.rlim_max) + " at most, or run with CAP_SYS_RESOURCE");
      }
      plan.process.raise_limits = true;
    }
    plan.rlimits.push_back({*number, wanted.soft, wanted.hard});
  }
  return {};
}

// Of two entries with one name the last counts, as with putenv(3) in other runtimes; a program would take the first. An empty HOME is none.
void PlanEnvironment(Plan& plan, const std::vector<std::string>& env, bool bundle) {
  std::set<std::string_view> seen;
  bool home = false;
  std::vector<const char*> backwards;
  for (size_t index = env.size(); index-- > 0;) {
    std::string_view name = std::string_view(env[index]).substr(0, env[index].find('='));
    if (bundle && !seen.insert(name).second) continue;
    if (bundle && name == "HOME") {
      home = env[index].size() > sizeof "HOME";
      if (!home) continue;
    }
    backwards.push_back(plan.Intern(env[index]));
  }
  plan.env.assign(backwards.rbegin(), backwards.rend());
  if (bundle && !home) {
    std::string entry = "HOME=/";
    entry.resize(kHomeSize, '\0');
    plan.process.home = plan.InternMutable(std::move(entry));
    plan.env.push_back(plan.process.home);
  }
  plan.env.push_back(nullptr);
}

Result<void> PlanScheduler(ProcessPlan& plan, const oci::Scheduler& wanted) {
  std::optional<uint32_t> policy = SchedulerPolicyNumber(wanted.policy);
  if (!policy) return Error(Code::kInvalid, "/process/scheduler/policy: no policy is called \"" + wanted.policy + "\"");
  sys::SchedulerAttr attr;
  attr.policy = *policy;
  for (size_t index = 0; index < wanted.flags.size(); ++index) {
    std::optional<uint64_t> flag = SchedulerFlagNumber(wanted.flags[index]);
    if (!flag) {
      return Error(Code::kInvalid,
                   At("/process/scheduler/flags", index) + ": no flag is called \"" + wanted.flags[index] + "\"");
    }
    attr.flags |= *flag;
  }
  attr.nice = wanted.nice.value_or(0);
  if (attr.nice < -20 || attr.nice > 19) return Error(Code::kInvalid, "/process/scheduler/nice: not -20 to 19");
  const int32_t priority = wanted.priority.value_or(0);
  if (priority < 0 || priority > 99) return Error(Code::kInvalid, "/process/scheduler/priority: not 0 to 99");
  attr.priority = static_cast<uint32_t>(priority);
  attr.runtime = wanted.runtime.value_or(0);
  attr.deadline = wanted.deadline.value_or(0);
  attr.period = wanted.period.value_or(0);
  plan.scheduler = attr;
  return {};
}

Result<void> PlanAffinity(Plan& plan, const oci::ExecCpuAffinity& wanted) {
  if (!wanted.initial.empty()) {
    std::vector<unsigned long> mask = MXC_TRY_AS("/process/execCPUAffinity/initial", ParseNumberList(wanted.initial));
    plan.process.initial_affinity = std::move(mask);
  }
  plan.process.affinity = MXC_TRY_AS("/process/execCPUAffinity/final", ParseNumberList(wanted.final));
  return {};
}

Result<void> PlanBundleProcess(Plan& plan, const oci::Process& process, const PlanContext& context) {
  ProcessPlan& attributes = plan.process;
  attributes.exact = true;
  // Where the spec says nothing, what other runtimes do.
  if (plan.umask < 0) plan.umask = 0022;
  attributes.groups = process.user.additional_gids;
  attributes.groups_may_stay = !context.privileged;
  FitCapabilities(plan);
  MXC_TRY(PlanLimits(plan, process));
  if (process.oom_score_adj) attributes.oom_score_adj = std::to_string(*process.oom_score_adj);
  if (process.scheduler) MXC_TRY(PlanScheduler(attributes, *process.scheduler));
  if (process.io_priority) {
    std::optional<int> io_class = IoClassNumber(process.io_priority->io_class);
    const int32_t level = process.io_priority->priority.value_or(0);
    if (!io_class)
      return Error(Code::kInvalid,
                   "/process/ioPriority/class: no class is called \"" + process.io_priority->io_class + "\"");
    if (level < 0 || level > 7) return Error(Code::kInvalid, "/process/ioPriority/priority: not 0 to 7");
    attributes.io_priority = *io_class << 13 | level;
  }
  // It is not applicable to a container's first process (config.md).
  if (process.exec_cpu_affinity) MXC_TRY(PlanAffinity(plan, *process.exec_cpu_affinity));
  // Wrong lists are errors of `create`, too; they are for exec only.
  if (!context.exec) plan.process.initial_affinity = plan.process.affinity = {};
  return {};
}

}  // namespace

Result<std::vector<unsigned long>> ParseNumberList(std::string_view list) {
  constexpr unsigned kBits = 8 * sizeof(unsigned long), kMost = 8192;
  std::vector<unsigned long> mask;
  auto invalid = [&] { return Error(Code::kInvalid, "\"" + std::string(list) + "\" is not a list like 0-3,7"); };
  auto number = [](std::string_view text, unsigned* value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return error == std::errc() && end == text.data() + text.size() && *value < kMost;
  };
  for (size_t start = 0; start <= list.size() && !list.empty();) {
    const size_t end = std::min(list.find(',', start), list.size());
    std::string_view range = list.substr(start, end - start);
    while (range.starts_with(' ')) range.remove_prefix(1);
    while (range.ends_with(' ')) range.remove_suffix(1);
    const size_t dash = range.find('-');
    unsigned first = 0, last = 0;
    if (!number(range.substr(0, dash), &first)) return invalid();
    last = first;
    if (dash != std::string_view::npos && !number(range.substr(dash + 1), &last)) return invalid();
    if (last < first) return invalid();
    if (mask.size() <= last / kBits) mask.resize(last / kBits + 1);
    for (unsigned bit = first; bit <= last; ++bit) mask[bit / kBits] |= 1UL << bit % kBits;
    start = end + 1;
  }
  return mask;
}

Result<void> PlanProcess(Plan& plan, const oci::Process& process, const PlanContext& context) {
  if (process.args.empty() || process.args[0].empty())
    return Error(Code::kInvalid, "/process/args: no program is named");
  for (const std::string& argument : process.args) plan.argv.push_back(plan.Intern(argument));
  plan.argv.push_back(nullptr);
  PlanEnvironment(plan, process.env, context.bundle);
  for (const std::string& path : ProgramCandidates(process.args[0], process.env))
    plan.candidates.push_back(plan.Intern(path));
  plan.candidates.push_back(nullptr);
  plan.cwd = plan.Intern(process.cwd.empty() ? "/" : process.cwd);
  if (process.user.umask) plan.umask = static_cast<int>(*process.user.umask);
  plan.terminal = process.terminal;
  plan.no_new_privileges = process.no_new_privileges;
  MXC_TRY(PlanCapabilities(plan, process));
  return context.bundle ? PlanBundleProcess(plan, process, context) : PlanSandboxLimits(plan, process);
}

}  // namespace mxc::sandbox
