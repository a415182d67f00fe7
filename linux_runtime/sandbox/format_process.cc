#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/base/escape_text.h"

namespace mxc::sandbox {
namespace {

void Line(std::string& text, const std::string& words) { text += words + "\n"; }

std::string Names(uint64_t set) {
  std::string names;
  for (int number = 0; number < 64; ++number) {
    if ((set >> number & 1) != 0) names += " " + CapabilityName(number);
  }
  return names.empty() ? " none" : names;
}

std::string Words(const std::vector<unsigned long>& mask) {
  std::string words;
  for (size_t bit = 0; bit < mask.size() * 8 * sizeof(unsigned long); ++bit) {
    if ((mask[bit / (8 * sizeof(unsigned long))] >> bit % (8 * sizeof(unsigned long)) & 1) != 0)
      words += " " + std::to_string(bit);
  }
  return words;
}

void AddKernelAttributes(std::string& text, const ProcessPlan& process) {
  if (process.scheduler) {
    const sys::SchedulerAttr& attr = *process.scheduler;
    Line(text, "scheduler: policy " + std::to_string(attr.policy) + ", flags " + std::to_string(attr.flags) +
                   ", nice " + std::to_string(attr.nice) + ", priority " + std::to_string(attr.priority) +
                   ", runtime " + std::to_string(attr.runtime) + ", deadline " + std::to_string(attr.deadline) +
                   ", period " + std::to_string(attr.period));
  }
  if (process.io_priority) {
    Line(text, "I/O priority: class " + std::to_string(*process.io_priority >> 13) + ", level " +
                   std::to_string(*process.io_priority & 7));
  }
  if (process.memory_policy) {
    Line(text, "memory policy: mode " + std::to_string(process.memory_policy->mode) + ", nodes" +
                   Words(process.memory_policy->nodes));
  }
  if (process.personality) Line(text, "personality: " + std::to_string(*process.personality));
  if (!process.initial_affinity.empty())
    Line(text, "processors while joining the cgroup:" + Words(process.initial_affinity));
  if (!process.affinity.empty()) Line(text, "processors:" + Words(process.affinity));
}

}  // namespace

std::string FormatProcess(const Plan& plan) {
  const ProcessPlan& process = plan.process;
  std::string text;
  if (!process.oom_score_adj.empty()) Line(text, "from outside: OOM score " + process.oom_score_adj);
  if (process.raise_limits) Line(text, "from outside: raise hard limits");
  for (const network::NetDeviceMove& device : process.net_devices) {
    Line(text, "from outside: move network device " + EscapeText(device.host_name) +
                   (device.name.empty() ? "" : " in as " + EscapeText(device.name)));
  }
  if (process.rdt) Line(text, "from outside: join the resctrl group " + EscapeText(process.rdt->group));
  AddKernelAttributes(text, process);
  std::string groups;
  for (uint32_t group : process.groups) groups += " " + std::to_string(group);
  Line(text, "user " + std::to_string(plan.uid) + ", group " + std::to_string(plan.gid) + ", supplementary groups" +
                 (process.keep_groups ? " as the caller's"
                  : groups.empty()    ? " none"
                                      : groups));
  Line(text, "bounding:" + Names(plan.bounding));
  Line(text, "permitted:" + Names(plan.permitted));
  Line(text, "effective:" + Names(plan.effective) +
                 (process.admin_until_exec ? ", and CAP_SYS_ADMIN until exec, for the filters" : ""));
  Line(text, "inheritable:" + Names(plan.inheritable));
  Line(text, "ambient:" + Names(plan.ambient));
  if (process.filters_early) Line(text, "filters before the container counts as created, since one notifies");
  return text;
}

}  // namespace mxc::sandbox
