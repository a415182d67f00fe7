#include "linux_runtime/cgroup/manager.h"

#include <errno.h>

#include <algorithm>

#include "linux_runtime/cgroup/devices_v1.h"
#include "linux_runtime/cgroup/devices_v2.h"
#include "linux_runtime/cgroup/inside.h"
#include "linux_runtime/cgroup/make.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {
namespace {

constexpr char kUnit[] = "systemd-unit:", kUserUnit[] = "systemd-user-unit:", kDisabled[] = "disabled";

Error Unenforceable(const Setting& setting, const std::string& why) {
  return Error(Code::kUnsupported, setting.field + ": there is no cgroup to limit it with: " + why)
      .WithHint("leave out the limit, or give the caller a delegated cgroup");
}

Error NoGroup(const char* what) {
  return Error(Code::kUnsupported, std::string(what) + ": the container has no cgroup")
      .WithHint("create it with the cgroupfs or systemd manager and, rootless, in a delegated cgroup");
}

void NoteDisabled(const std::vector<Setting>& settings, std::vector<std::string>& notes) {
  for (const Setting& setting : settings) {
    std::string note = setting.field + " is not enforced: the cgroup manager is disabled";
    if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
  }
}

Result<ScopeRequest> RequestOf(const oci::Spec& spec, const ManagerOptions& options, Version version,
                               const Limits& limits, const std::vector<DeviceRule>& rules) {
  ScopeRequest request;
  request.name = MXC_TRY(ReadScopePath(spec.linux.cgroups_path, options.id, options.rootless));
  request.id = options.id;
  request.version = version;
  request.limits = LimitProperties(limits, version);
  if (version != Version::kV2) request.devices = DeviceProperties(MXC_TRY(TableOf(rules)), ReadProc("/proc/devices"));
  request.annotated = MXC_TRY(AnnotatedProperties(spec.annotations));
  return request;
}

// Who on the host gets a v2 group that the container may manage: process.user.uid, mapped. Nothing where it stays the
// caller's.
std::optional<uid_t> GroupOwner(const oci::Spec& spec) {
  bool own_namespace = std::any_of(spec.linux.namespaces.begin(), spec.linux.namespaces.end(),
                                   [](const oci::Namespace& one) { return one.type == "cgroup" && one.path.empty(); });
  bool writable = std::any_of(spec.mounts.begin(), spec.mounts.end(), [](const oci::Mount& mount) {
    return (mount.type == "cgroup" || mount.type == "cgroup2") &&
           std::find(mount.options.begin(), mount.options.end(), "ro") == mount.options.end();
  });
  if (!own_namespace || !writable || !spec.process) return std::nullopt;
  uint32_t uid = spec.process->user.uid;
  if (spec.linux.uid_mappings.empty()) return uid;
  for (const oci::IdMapping& map : spec.linux.uid_mappings) {
    if (uid >= map.container_id && uid - map.container_id < map.size) return map.host_id + (uid - map.container_id);
  }
  return std::nullopt;
}

}  // namespace

Result<void> BundleGroup::Inside::MakeFolders(const oci::Spec& spec, const std::string& id, const Hierarchy& hierarchy,
                                              const std::vector<Setting>& settings) {
  Place place = MXC_TRY(PlaceOf(hierarchy, spec.linux.cgroups_path, id));
  Group made = MXC_TRY(CreateAt(hierarchy, place, {.may_lack = rootless}));
  if (!made.none()) {
    group.emplace(std::move(made));
    return {};
  }
  std::string why = hierarchy.why_not().empty() ? "this user may not make one" : hierarchy.why_not();
  if (!settings.empty()) return Unenforceable(settings[0], why);
  if (!rootless) return Error(Code::kUnsupported, "linux.cgroupsPath: make the container's cgroup: " + why);
  return {};
}

// EPERM without privilege over the host is how the kernel says that it guards devices by other means: nobody in a user
// namespace can make a device file, and a bind mount of one is what the caller could open anyway.
Result<void> BundleGroup::Inside::SetDevices(const std::vector<DeviceRule>& rules, bool in_use) {
  Result<void> set;
  if (group->v2()) {
    set = SetDevicesV2(*group->Folders()[0], rules);
  } else if (const Directory* devices = group->In(kDevices)) {
    set = SetDevicesV1(*devices, MXC_TRY(TableOf(rules)), in_use);
  } else if (!rootless) {
    return Error(Code::kUnsupported, "linux.resources.devices: the cgroup controller devices is not available")
        .WithHint("mount it, or use --cgroup-manager disabled");
  } else {
    return {};
  }
  if (set || set.error().system_errno() != EPERM) return set;
  if (!rootless && !IsUserNamespace(ReadProc("/proc/self/uid_map"))) return set;
  notes.emplace_back(
      "linux.resources.devices is not enforced by the cgroup: in a user namespace the kernel lets nobody "
      "make device files anyway");
  return {};
}

BundleGroup::BundleGroup(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
BundleGroup::BundleGroup(BundleGroup&&) noexcept = default;
BundleGroup& BundleGroup::operator=(BundleGroup&&) noexcept = default;
BundleGroup::~BundleGroup() = default;

Result<BundleGroup> BundleGroup::Make(const oci::Spec& spec, const ManagerOptions& options) {
  auto inside = std::make_unique<Inside>();
  inside->rootless = options.rootless;
  oci::Resources none;
  const oci::Resources& resources = spec.linux.resources ? *spec.linux.resources : none;
  Limits limits = MXC_TRY(LimitsFrom(resources));
  std::vector<DeviceRule> rules = MXC_TRY(DeviceRules(resources.devices));
  Hierarchy hierarchy = Hierarchy::Probe();
  std::vector<Setting> settings = MXC_TRY(SettingsFor(limits, hierarchy.version(), Purpose::kBundle));

  switch (options.kind) {
    case ManagerKind::kDisabled:
      inside->disabled = true;
      NoteDisabled(settings, inside->notes);
      return BundleGroup(std::move(inside));
    case ManagerKind::kSystemd:
      inside->bus = {options.busctl, options.rootless};
      MXC_TRY(inside->MakeScope(MXC_TRY(RequestOf(spec, options, hierarchy.version(), limits, rules)), hierarchy));
      break;
    case ManagerKind::kCgroupfs:
      MXC_TRY(inside->MakeFolders(spec, options.id, hierarchy, settings));
      break;
  }
  if (!inside->group) return BundleGroup(std::move(inside));
  MXC_TRY(CheckControllers(*inside->group, settings, hierarchy));
  MXC_TRY(inside->group->Write(settings, inside->notes));
  MXC_TRY(inside->SetDevices(rules, false));
  if (auto owner = GroupOwner(spec)) MXC_TRY(inside->group->GiveTo(*owner));
  return BundleGroup(std::move(inside));
}

Result<BundleGroup> BundleGroup::Open(const std::vector<std::string>& state, std::string busctl) {
  auto inside = std::make_unique<Inside>();
  std::vector<std::string> paths;
  for (const std::string& line : state) {
    if (line == kDisabled) {
      inside->disabled = true;
    } else if (line.starts_with(kUnit)) {
      inside->unit = line.substr(sizeof kUnit - 1);
    } else if (line.starts_with(kUserUnit)) {
      inside->unit = line.substr(sizeof kUserUnit - 1);
      inside->bus.user = true;
    } else {
      paths.push_back(line);
    }
  }
  inside->bus.busctl = std::move(busctl);
  if (!paths.empty()) inside->group.emplace(MXC_TRY(Group::Open(paths, true)));
  return BundleGroup(std::move(inside));
}

std::vector<std::string> BundleGroup::State() const {
  std::vector<std::string> state = Paths();
  if (inside_->disabled) state.emplace_back(kDisabled);
  if (!inside_->unit.empty()) state.push_back((inside_->bus.user ? kUserUnit : kUnit) + inside_->unit);
  return state;
}

std::vector<std::string> BundleGroup::Paths() const {
  return inside_->group ? inside_->group->Paths() : std::vector<std::string>();
}

bool BundleGroup::exists() const { return inside_->group && !inside_->group->none(); }
bool BundleGroup::disabled() const { return inside_->disabled; }
const std::vector<std::string>& BundleGroup::notes() const { return inside_->notes; }

CgroupMounts BundleGroup::Mounts() const { return MountsOf(Hierarchy::Probe().layout(), Paths()); }

Result<void> BundleGroup::Update(const oci::Resources& resources) {
  Limits limits = MXC_TRY(LimitsFrom(resources));
  if (!exists()) {
    if (limits == Limits{} && resources.devices.empty()) return {};
    return NoGroup("update linux.resources");
  }
  Version version = inside_->group->v2() ? Version::kV2 : Version::kV1;
  if (!inside_->unit.empty()) {
    std::vector<UnitProperty> properties = LimitProperties(limits, version);
    if (!properties.empty()) MXC_TRY(CallSystemd(inside_->bus, SetPropertiesCall(inside_->unit, properties)));
  }
  MXC_TRY(inside_->group->Set(limits, inside_->notes));
  if (resources.devices.empty()) return {};
  return inside_->SetDevices(MXC_TRY(DeviceRules(resources.devices)), true);
}

Result<std::vector<pid_t>> BundleGroup::Processes() const {
  if (!exists()) return NoGroup("list the container's processes");
  std::vector<int> pids = MXC_TRY(inside_->group->Processes());
  std::erase(pids, 0);  // of another pid namespace
  return pids;
}

Result<void> BundleGroup::Freeze(bool frozen, Milliseconds patience) {
  if (!exists()) return NoGroup(frozen ? "pause the container" : "resume the container");
  return inside_->group->Freeze(frozen, patience);
}

Result<bool> BundleGroup::Frozen() const {
  if (!exists()) return false;
  return inside_->group->Frozen();
}

Result<void> BundleGroup::Signal(int signal) const {
  if (!exists()) return NoGroup("signal all processes of the container");
  return inside_->group->Signal(signal);
}

Result<void> BundleGroup::Kill(Milliseconds patience) {
  if (!exists()) return {};
  return inside_->group->Kill(patience);
}

Result<Stats> BundleGroup::ReadStats() const {
  if (!exists()) return NoGroup("count what the container used");
  return cgroup::ReadStats(*inside_->group);
}

Result<sys::UniqueFd> BundleGroup::OpenOomEvents() const {
  if (!exists()) return NoGroup("watch for lack of memory");
  return inside_->group->OpenOomEvents();
}

Result<void> BundleGroup::Destroy(Milliseconds patience) {
  if (!inside_->unit.empty()) inside_->StopScope();
  if (!exists()) return {};
  return inside_->group->Destroy(patience);
}

void BundleGroup::Release() {
  inside_->placeholder.End();
  if (inside_->group) inside_->group->Release();
}

}  // namespace mxc::cgroup
