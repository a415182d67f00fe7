#include "linux_runtime/sandbox/bundle_plan.h"

#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

struct Kind {
  const char* name;
  uint64_t flag;
};

// In the order in which they are joined: a user namespace gives the rights to join those it owns, a mount namespace takes
// away the view of the files.
constexpr Kind kKinds[] = {{"user", CLONE_NEWUSER},   {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS},
                           {"network", CLONE_NEWNET}, {"pid", CLONE_NEWPID}, {"cgroup", CLONE_NEWCGROUP},
                           {"time", CLONE_NEWTIME},   {"mount", CLONE_NEWNS}};

std::string At(const char* list, size_t index) { return std::string(list) + "/" + std::to_string(index); }

Result<JoinedNamespace> OpenNamespace(Plan& plan, const oci::Namespace& wanted, const Kind& kind,
                                      const std::string& field) {
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, wanted.path.c_str(), O_RDONLY));
  if (!fd.valid()) return sys::SystemError(field + "/path: open " + wanted.path, -fd.get());
  const int type = ::ioctl(fd.get(), NS_GET_NSTYPE);
  if (type < 0 || static_cast<uint64_t>(type) != kind.flag) {
    return Error(Code::kInvalid, field + "/path: " + wanted.path + " is not a " + kind.name + " namespace");
  }
  return JoinedNamespace{plan.Own(std::move(fd)), kind.flag, kind.name};
}

// Members from birth, or owned by a user namespace that the child would have left by then.
bool NeedsIntermediate(uint64_t fresh, const std::vector<JoinedNamespace>& joins) {
  constexpr uint64_t kFromBirth = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME;
  if (joins.empty()) return false;
  return (fresh & CLONE_NEWUSER) != 0 || std::any_of(joins.begin(), joins.end(), [](const JoinedNamespace& join) {
           return (join.type & kFromBirth) != 0;
         });
}

std::string MapLine(const IdRange& range) {
  return std::to_string(range.inside) + " " + std::to_string(range.outside) + " " + std::to_string(range.count);
}

std::vector<IdRange> Ranges(const std::vector<oci::IdMapping>& mappings) {
  std::vector<IdRange> ranges;
  for (const oci::IdMapping& map : mappings) ranges.push_back({map.container_id, map.host_id, map.size});
  return ranges;
}

bool MapsOnly(const std::vector<IdRange>& map, uint32_t id) {
  return map.size() == 1 && map[0].count == 1 && map[0].outside == id;
}

// The id inside with which the root is set up: 0 where it is mapped.
uint32_t SetUpId(const std::vector<IdRange>& map) {
  for (const IdRange& range : map) {
    if (range.inside == 0) return 0;
  }
  return map.empty() ? 0 : map[0].inside;
}

Result<int> MemoryFile(Plan& plan, const char* name) {
  sys::UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return sys::SystemError("make a memory file for hooks", errno);
  return plan.Own(std::move(fd));
}

}  // namespace

Result<uint64_t> PlanBundleNamespaces(Plan& plan, const oci::Spec& spec) {
  uint64_t fresh = 0, seen = 0;
  std::vector<JoinedNamespace> joins;
  for (const Kind& kind : kKinds) {
    for (size_t index = 0; index < spec.linux.namespaces.size(); ++index) {
      const oci::Namespace& wanted = spec.linux.namespaces[index];
      if (wanted.type != kind.name) continue;
      const std::string field = At("/linux/namespaces", index);
      if ((seen & kind.flag) != 0)
        return Error(Code::kInvalid, field + ": the " + wanted.type + " namespace is listed twice");
      seen |= kind.flag;
      if (wanted.path.empty()) {
        fresh |= kind.flag;
      } else {
        joins.push_back(MXC_TRY(OpenNamespace(plan, wanted, kind, field)));
      }
    }
  }
  for (size_t index = 0; index < spec.linux.namespaces.size(); ++index) {
    const std::string& type = spec.linux.namespaces[index].type;
    if (std::none_of(std::begin(kKinds), std::end(kKinds), [&](const Kind& kind) { return type == kind.name; })) {
      return Error(Code::kInvalid, At("/linux/namespaces", index) + ": no namespace is called \"" + type + "\"");
    }
  }
  if ((seen & CLONE_NEWNS) == 0) {
    return Error(Code::kUnsupported,
                 "/linux/namespaces: a container needs a mount namespace: without one its mounts would be the host's")
        .WithHint("add {\"type\": \"mount\"}");
  }
  if (NeedsIntermediate(fresh, joins)) {
    plan.bundle.joins = std::move(joins);
  } else {
    for (const JoinedNamespace& join : joins) {
      Step& step = plan.steps.emplace_back();
      step.op = Op::kJoinNamespace;
      step.fd = join.fd;
      step.flags = join.type;
      step.text = join.name;
    }
  }
  return fresh;
}

Result<void> PlanBundleIds(Plan& plan, const oci::Spec& spec, const PlanContext& context) {
  const bool joined = std::any_of(plan.bundle.joins.begin(), plan.bundle.joins.end(),
                                  [](const JoinedNamespace& join) { return join.type == CLONE_NEWUSER; });
  if ((plan.namespaces & CLONE_NEWUSER) != 0) {
    plan.uid_map = Ranges(spec.linux.uid_mappings);
    plan.gid_map = Ranges(spec.linux.gid_mappings);
    if (plan.uid_map.empty() || plan.gid_map.empty()) {
      return Error(Code::kInvalid, "/linux/uidMappings, /linux/gidMappings: a new user namespace needs both");
    }
    const bool own_only = MapsOnly(plan.uid_map, context.uid) && MapsOnly(plan.gid_map, context.gid);
    plan.parent_writes_maps = context.capable || !own_only;
    plan.use_newidmap = !context.capable && !own_only;
    Step& step = plan.steps.emplace_back();
    step.op = plan.parent_writes_maps ? Op::kAwaitParent : Op::kMapSelf;
    if (!plan.parent_writes_maps) {
      step.text = plan.Intern(MapLine(plan.uid_map[0]));
      step.path = plan.Intern(MapLine(plan.gid_map[0]));
    }
  } else if (!joined && !context.capable) {
    return Error(Code::kUnsupported, "/linux/namespaces: without a user namespace only root can start a container")
        .WithHint("add {\"type\": \"user\"} with uidMappings and gidMappings; `mxc-runtime spec --rootless` shows how");
  }
  if ((plan.namespaces & CLONE_NEWUSER) == 0 && !joined) return {};
  PlanSetUpIds(plan, spec);
  return {};
}

void PlanSetUpIds(Plan& plan, const oci::Spec& spec) {
  Step& step = plan.steps.emplace_back();
  step.op = Op::kSetIds;
  step.flags = SetUpId(Ranges(spec.linux.uid_mappings));
  step.extra = SetUpId(Ranges(spec.linux.gid_mappings));
}

std::vector<PlannedHook> PrepareHooks(Plan& plan, const std::vector<oci::Hook>& hooks, const char* field,
                                      const std::string& folder) {
  std::vector<PlannedHook> prepared;
  for (size_t index = 0; index < hooks.size(); ++index) {
    const oci::Hook& hook = hooks[index];
    PlannedHook& planned = prepared.emplace_back();
    planned.path = plan.Intern(hook.path);
    if (!folder.empty()) planned.folder = plan.Intern(folder);
    for (const std::string& argument : hook.args) planned.argv.push_back(plan.Intern(argument));
    if (hook.args.empty()) planned.argv.push_back(planned.path);
    planned.argv.push_back(nullptr);
    for (const std::string& entry : hook.env) planned.env.push_back(plan.Intern(entry));
    planned.env.push_back(nullptr);
    if (hook.timeout) planned.timeout_ms = static_cast<int>(std::min<int64_t>(*hook.timeout, INT32_MAX / 1000) * 1000);
    planned.field = plan.Intern(std::string(field) + "[" + std::to_string(index) + "]");
  }
  return prepared;
}

Result<void> PlanHooks(Plan& plan, const oci::Hooks& hooks, const std::string& bundle) {
  plan.bundle.runtime_hooks = !hooks.prestart.empty() || !hooks.create_runtime.empty();
  plan.bundle.create_container = PrepareHooks(plan, hooks.create_container, "hooks.createContainer", bundle);
  plan.bundle.start_container = PrepareHooks(plan, hooks.start_container, "hooks.startContainer");
  const bool any = plan.bundle.runtime_hooks || !hooks.create_container.empty() || !hooks.start_container.empty();
  if (!any) return {};
  plan.bundle.state_creating = MXC_TRY(MemoryFile(plan, "mxc-state-creating"));
  plan.bundle.state_created = MXC_TRY(MemoryFile(plan, "mxc-state-created"));
  plan.bundle.hook_output = MXC_TRY(MemoryFile(plan, "mxc-hook-output"));
  if (plan.bundle.runtime_hooks || !hooks.create_container.empty()) plan.steps.emplace_back().op = Op::kHooks;
  return {};
}

}  // namespace mxc::sandbox
