// Writing limits into a group: at its start, and again while it is in use.
#include <errno.h>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/make.h"
#include "linux_runtime/cgroup/settings.h"
#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {
namespace {

bool Blank(const std::string& text) { return text.find_first_not_of(" \n") == std::string::npos; }

Error RefusedSetting(const Setting& setting, const Directory& group, int error) {
  std::string what = setting.field + ": write '" + setting.value + "' to " + group.path() + "/" + setting.file;
  Error refused = sys::SystemError(what, error);
  if (error == ENOENT || error == EOPNOTSUPP) {
    bool swap = setting.field == "linux.resources.memory.swap";
    return Error(Code::kUnsupported, what + ": this kernel has no such limit")
        .WithErrno(error)
        .WithHint(swap ? "boot with swapaccount=1, or leave out the swap limit" : "leave out this limit");
  }
  if (error == EINVAL && setting.controller == kCpu) {
    return std::move(refused).WithHint("a group above may have a smaller limit, which this one can't exceed");
  }
  if (error == EBUSY) return std::move(refused).WithHint("more is in use than the limit allows");
  return refused;
}

// 0 or -errno. ENOENT and EOPNOTSUPP (memory.kmem.limit_in_bytes since Linux 5.16): the kernel has no such limit.
int WriteOne(const Setting& setting, const Directory& group) {
  int result = group.Write(setting.file.c_str(), setting.value);
  if (result == -ENOENT && !setting.other_file.empty())
    return group.Write(setting.other_file.c_str(), setting.other_value);
  return result;
}

}  // namespace

Error NoController(const Setting& setting, const std::string& why) {
  std::string message =
      setting.field + ": the cgroup controller " + ControllerNames(setting.controller) + " is not available";
  if (!why.empty()) message += ": " + why;
  return Error(Code::kUnsupported, std::move(message))
      .WithHint("leave out this limit, or make the controller available");
}

Result<void> SeedCpuset(const Directory& parent, const Directory& group) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    auto set = group.Read(file);
    if (set && !Blank(*set)) continue;
    std::string text = MXC_TRY(parent.Read(file));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    int result = group.Write(file, text);
    if (result < 0) return sys::SystemError("write '" + text + "' to " + group.path() + "/" + file, -result);
  }
  return {};
}

Result<void> Group::Write(const std::vector<Setting>& settings, std::vector<std::string>& notes) {
  std::vector<const Setting*> again;
  for (const Setting& setting : settings) {
    const Part* part = setting.controller == 0 && v2_ && !none() ? &parts_[0] : Find(setting.controller);
    int result = part == nullptr ? -ENOENT : WriteOne(setting, part->self);
    if (result == 0) continue;
    bool missing = result == -ENOENT || result == -EOPNOTSUPP;
    if (missing && setting.if_missing == IfMissing::kLeaveOut) continue;
    if (missing && setting.if_missing == IfMissing::kNote) {
      notes.push_back(setting.field + " is deprecated and has no effect: this kernel has no such limit");
      continue;
    }
    if (part == nullptr) return NoController(setting, "the group was made without it");
    if (result != -EINVAL) return RefusedSetting(setting, part->self, -result);
    again.push_back(&setting);
  }
  for (const Setting* setting : again) {
    const Part* part = Find(setting->controller);
    int result = WriteOne(*setting, part->self);
    if (result < 0) return RefusedSetting(*setting, part->self, -result);
  }
  return {};
}

Result<void> Group::CheckUpdate(const Limits& limits) const {
  const Directory* memory = In(kMemory);
  if (!limits.check_before_update || !limits.memory_bytes || memory == nullptr) return {};
  uint64_t used = MXC_TRY(memory->ReadNumber(v2_ ? "memory.current" : "memory.usage_in_bytes"));
  if (used <= *limits.memory_bytes) return {};
  return Error(Code::kRefused, "linux.resources.memory.limit: " + std::to_string(*limits.memory_bytes) +
                                   " is below what is in use, " + std::to_string(used) +
                                   ", and checkBeforeUpdate is set");
}

// v2 has one file for what OCI says in two fields: the one that isn't given stays as it is.
Result<void> Group::CompleteUpdate(Limits& limits) const {
  if (!v2_ || none()) return {};
  const Directory& group = parts_[0].self;
  bool swap = limits.memory_and_swap_bytes.value_or(kUnlimited) != kUnlimited;
  if (swap && !limits.memory_bytes) limits.memory_bytes = MXC_TRY(group.ReadNumber("memory.max"));
  if (limits.cpu_period_us && !limits.cpu_quota_us) limits.cpu_quota_us = MXC_TRY(group.ReadNumber("cpu.max"));
  if (swap && *limits.memory_and_swap_bytes < *limits.memory_bytes) {
    return Error(Code::kInvalid, "linux.resources.memory.swap: " + std::to_string(*limits.memory_and_swap_bytes) +
                                     " is below the memory limit, which it includes");
  }
  return {};
}

Result<void> Group::Set(Limits limits, std::vector<std::string>& notes) {
  MXC_TRY(CheckUpdate(limits));
  MXC_TRY(CompleteUpdate(limits));
  return Write(MXC_TRY(SettingsFor(limits, v2_ ? Version::kV2 : Version::kV1, Purpose::kUpdate)), notes);
}

}  // namespace mxc::cgroup
