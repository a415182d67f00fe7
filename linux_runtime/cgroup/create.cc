// Making a group: one folder a hierarchy, its limits, and the files through which its first process joins.
#include <errno.h>
#include <fcntl.h>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/make.h"
#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {
namespace {

Error MissingController(const Hierarchy& hierarchy, const Setting& setting) {
  return NoController(setting, hierarchy.why_not());
}

// v2: the children of `directory` get controllers only when it hands them on.
Result<void> HandOn(const Directory& directory, Controllers wanted) {
  std::string text = MXC_TRY(directory.Read("cgroup.subtree_control"));
  Controllers missing = wanted & ~ParseControllers(text);
  for (Controllers bit = 1; bit <= missing; bit <<= 1) {
    if ((missing & bit) == 0) continue;
    std::string order = "+" + ControllerNames(bit);
    int result = directory.Write("cgroup.subtree_control", order);
    if (result < 0) {
      return sys::SystemError("write '" + order + "' to " + directory.path() + "/cgroup.subtree_control", -result)
          .WithHint(result == -EBUSY ? "the group holds processes itself; move them to a child group"
                                     : "enable it above");
    }
  }
  return {};
}

Result<Directory> V2Parent(const Hierarchy& hierarchy, Controllers wanted) {
  Directory parent = MXC_TRY(Directory::Open(hierarchy.v2_parent(), hierarchy.extra_flags()));
  const std::string& make = hierarchy.v2_make();
  if (make.empty()) {
    MXC_TRY(HandOn(parent, wanted));
    return parent;
  }
  auto ours = parent.Child(make);
  if (!ours) {
    int result = parent.Make(make);
    if (result < 0 && result != -EEXIST)
      return sys::SystemError("make the cgroup " + parent.path() + "/" + make, -result);
    ours = parent.Child(make);
    if (!ours) return ours;
  }
  // Once it hands a controller on, the one above does too.
  auto text = ours->Read("cgroup.subtree_control");
  if (text && (wanted & ~ParseControllers(*text)) == 0) return ours;
  MXC_TRY(HandOn(parent, wanted));
  MXC_TRY(HandOn(*ours, wanted));
  return ours;
}

Result<void> CheckName(const std::string& name) {
  bool plain = !name.empty() && name.size() <= 255 && name[0] != '.' && name.find('/') == std::string::npos &&
               name.find('\n') == std::string::npos && name.find('\0') == std::string::npos;
  if (plain) return {};
  return Error(Code::kInvalid,
               "make a cgroup: '" + name + "' is not a name: 1 to 255 bytes, no '/', not starting with '.'");
}

}  // namespace

Result<void> Group::Add(Directory parent, const std::string& name, Controllers controllers) {
  int result = parent.Make(name);
  if (result == -EEXIST) {
    return Error(Code::kRefused,
                 "make the cgroup " + parent.path() + "/" + name + ": it exists: a sandbox of this name runs")
        .WithErrno(EEXIST)
        .WithHint("choose another name, or delete that sandbox");
  }
  if (result < 0) return sys::SystemError("make the cgroup " + parent.path() + "/" + name, -result);
  parts_.push_back({controllers, "", std::move(parent), {}, name, true, {}});
  Part& part = parts_.back();
  part.self = MXC_TRY(part.parent.Child(name));
  if (!v2_ && (controllers & kCpuset) != 0) MXC_TRY(SeedCpuset(part.parent, part.self));
  return {};
}

Result<Group> Create(const Hierarchy& hierarchy, const std::string& name, const Limits& limits, Extras extras) {
  MXC_TRY(CheckName(name));
  std::vector<Setting> settings = MXC_TRY(SettingsFor(limits, hierarchy.version()));
  Controllers wanted = 0;
  for (const Setting& setting : settings) {
    if ((setting.controller & ~hierarchy.available()) != 0) return MissingController(hierarchy, setting);
    wanted |= setting.controller;
  }
  Group group;
  if (hierarchy.version() == Version::kV2) {
    group.v2_ = true;
    if (!hierarchy.delegated()) {
      return Error(Code::kUnsupported, "make the cgroup " + name + ": " + hierarchy.why_not());
    }
    // Those that only count are taken along: they cost nothing on v2.
    wanted |= hierarchy.available() & (kMemory | kPids);
    Directory parent = MXC_TRY(V2Parent(hierarchy, wanted));
    MXC_TRY(group.Add(std::move(parent), name, wanted));
    std::vector<std::string> notes;
    MXC_TRY(group.Write(settings, notes));
    return group;
  }
  if (extras.freezer) wanted |= kFreezer;
  if (extras.accounting) wanted |= kCpuacct;
  if (Controllers missing = wanted & ~hierarchy.available(); missing != 0) {
    return Error(Code::kUnsupported, "make the cgroup " + name + ": the controller " + ControllerNames(missing) +
                                         " is not available" +
                                         (hierarchy.why_not().empty() ? "" : ": " + hierarchy.why_not()));
  }
  for (const OwnGroup& own : hierarchy.layout().v1) {
    if ((own.controllers & wanted) == 0) continue;
    Directory parent = MXC_TRY(Directory::Open(own.path, hierarchy.extra_flags()));
    MXC_TRY(group.Add(std::move(parent), name, own.controllers));
  }
  std::vector<std::string> notes;
  MXC_TRY(group.Write(settings, notes));
  for (Group::Part& part : group.parts_) {
    part.tasks = MXC_TRY(part.self.OpenFile("tasks", O_WRONLY));
    group.join_fds_.push_back(part.tasks.get());
  }
  return group;
}

}  // namespace mxc::cgroup
