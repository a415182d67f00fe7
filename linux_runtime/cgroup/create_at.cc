// Making a bundle's group at the place that it asks for.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/make.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {
namespace {

// v2: hands on to the children of `directory` all controllers that it has. What it can't hand on is missing below, where
// the limit that wants it is refused by name.
void HandOnAll(const Directory& directory) {
  auto offered = directory.Read("cgroup.controllers"), given = directory.Read("cgroup.subtree_control");
  if (!offered || !given) return;
  Controllers missing = ParseControllers(*offered) & ~ParseControllers(*given);
  for (Controllers bit = 1; bit != 0 && bit <= missing; bit <<= 1) {
    if ((missing & bit) != 0) directory.Write("cgroup.subtree_control", "+" + ControllerNames(bit));
  }
}

bool NotAllowed(const Error& error) {
  int number = error.system_errno();
  return number == EACCES || number == EPERM || number == EROFS;
}

}  // namespace

Result<void> Group::AddAt(const Spot& spot, int extra_flags) {
  Part part;
  part.controllers = spot.controllers;
  part.list = spot.list;
  part.self = MXC_TRY(Directory::Open(spot.top, extra_flags));
  std::string_view rest = spot.below;
  while (!rest.empty()) {
    part.name = std::string(rest.substr(0, rest.find('/')));
    rest = rest.size() == part.name.size() ? std::string_view() : rest.substr(part.name.size() + 1);
    part.parent = std::move(part.self);
    if (v2_) HandOnAll(part.parent);
    int result = part.parent.Make(part.name);
    if (result < 0 && result != -EEXIST) {
      return sys::SystemError("linux.cgroupsPath: make the cgroup " + part.parent.path() + "/" + part.name, -result);
    }
    part.made = result == 0;
    part.self = MXC_TRY(part.parent.Child(part.name));
    if (!v2_ && (spot.controllers & kCpuset) != 0) MXC_TRY(SeedCpuset(part.parent, part.self));
  }
  if (v2_) part.controllers = ParseControllers(MXC_TRY(part.self.Read("cgroup.controllers")));
  parts_.push_back(std::move(part));
  return {};
}

Result<void> Group::CheckUnused() const {
  for (const Part& part : parts_) {
    if (part.made) continue;
    std::vector<int> processes = MXC_TRY(part.self.ProcessesBelow());
    if (processes.empty()) continue;
    return Error(Code::kRefused, "container's cgroup is not empty: " + std::to_string(processes.size()) +
                                     " process(es) found in " + part.self.path());
  }
  const Part* freezer = v2_ && !none() ? &parts_[0] : Find(kFreezer);
  if (freezer != nullptr && !freezer->made && MXC_TRY(Frozen())) {
    return Error(Code::kRefused, "container's cgroup unexpectedly frozen: " + freezer->self.path());
  }
  return {};
}

Result<void> CheckControllers(const Group& group, const std::vector<Setting>& settings, const Hierarchy& hierarchy) {
  for (const Setting& setting : settings) {
    if (setting.if_missing != IfMissing::kError || (setting.controller & ~group.controllers()) == 0) continue;
    std::string why = hierarchy.why_not();
    if (why.empty()) why = group.v2() ? "the groups above do not hand it on" : "no hierarchy of it is mounted";
    return NoController(setting, why);
  }
  return {};
}

Result<void> Group::GiveTo(uid_t owner) const {
  if (!v2_ || none() || owner == ::geteuid()) return {};
  const Directory& group = parts_[0].self;
  std::string text = ReadProc("/sys/kernel/cgroup/delegate");
  if (text.empty()) text = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
  std::istringstream names(text);
  std::vector<std::string> files = {"."};
  for (std::string name; names >> name;) {
    // The kernel names files that this group may not have, as memory.oom.group.
    if (name.find('/') == std::string::npos && group.Has(name.c_str())) files.push_back(name);
  }
  for (const std::string& file : files) {
    if (::fchownat(group.fd(), file.c_str(), owner, static_cast<gid_t>(-1), AT_SYMLINK_NOFOLLOW) == 0) continue;
    return sys::SystemError("give " + group.path() + "/" + file + " to user " + std::to_string(owner), errno);
  }
  return {};
}

Result<Group> CreateAt(const Hierarchy& hierarchy, const Place& place, CreateAtOptions options) {
  Group group;
  group.v2_ = place.v2;
  for (const Spot& spot : place.spots) {
    auto added = group.AddAt(spot, hierarchy.extra_flags());
    if (!added && !(options.may_lack && NotAllowed(added.error()))) return std::move(added).error();
  }
  if (!options.in_use) MXC_TRY(group.CheckUnused());
  return group;
}

}  // namespace mxc::cgroup
