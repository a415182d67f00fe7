#include "shared/policy/resolve.h"

#include "shared/policy/contract_support.h"
#include "shared/policy/doors.h"
#include "shared/policy/environment.h"
#include "shared/policy/limits.h"
#include "shared/policy/resolve_network.h"
#include "shared/policy/resolve_paths.h"

namespace mxc::policy {
namespace {

constexpr Layer kBuiltin = Layer::kBuiltin;

bool IsNamed(const Policy& policy, const std::string& pointer) { return policy.positions.contains(pointer); }

Result<const Profile*> ChooseProfile(const Policy& policy, const ProfileSet& profiles, const std::vector<Floor>& floors,
                                     const CommandLine& command_line) {
  const bool in_policy = !command_line.profile && policy.x_linux && policy.x_linux->profile;
  const std::string name = command_line.profile ? *command_line.profile
                           : in_policy          ? *policy.x_linux->profile
                                                : kDefaultProfile;
  const Position place = in_policy ? PlaceInPolicy(policy, "/x-linux/profile")
                                   : Position{command_line.profile ? "--profile" : policy.source, 0, 0, ""};
  const Profile* profile = profiles.Find(name);
  if (profile == nullptr) return profiles.NotFound(name).WithPosition(place);
  for (const Floor& floor : floors) {
    if (auto allowed = CheckProfile(floor, name); !allowed.ok()) return std::move(allowed).error().WithPosition(place);
  }
  return profile;
}

Result<Sourced<std::vector<std::string>>> ResolveCommand(const Policy& policy, const CommandLine& command_line) {
  if (!command_line.argv.empty()) {
    return Sourced<std::vector<std::string>>{command_line.argv, {Layer::kCommandLine, "command line", "", 0}};
  }
  if (!policy.process || policy.process->command_line.empty()) {
    return Error(Code::kUsage, "there is no command to run")
        .WithHint("set process.commandLine in the policy, or add -- and a command");
  }
  return Sourced<std::vector<std::string>>{{"sh", "-c", policy.process->command_line},
                                           PolicyOrigin(policy, "/process/commandLine")};
}

Result<void> ResolveRootfs(const Policy& policy, const Caller& caller, const PathRoots& roots,
                           EffectivePolicy& effective) {
  effective.rootfs.origin = {kBuiltin, "mxc", "", 0};
  if (!policy.x_linux || !policy.x_linux->rootfs) return {};
  const std::string pointer = "/x-linux/rootfs";
  std::string path = MXC_TRY(LinuxPath(policy, *policy.x_linux->rootfs, pointer, caller));
  if (path == "/") {
    return Error(Code::kRefused, "\"/\" as rootfs would show everything, secrets too")
        .WithPosition(PlaceInPolicy(policy, pointer))
        .WithHint("grant \"/\" in filesystem.readonlyPaths instead, where denials hold");
  }
  if (auto check = Doors(roots, caller).CheckGrant(path, Access::kReadOnly); !check.ok()) {
    return std::move(check).error().WithPosition(PlaceInPolicy(policy, pointer));
  }
  effective.rootfs = {std::move(path), PolicyOrigin(policy, pointer)};
  return {};
}

void ResolveResources(const Policy& policy, const Profile& profile, EffectivePolicy& effective) {
  effective.resources = {profile.resources, profile.resources_origin};
  Resources named = policy.x_linux ? policy.x_linux->resources : Resources();
  const bool ours = named != Resources();
  if (policy.wslc && policy.wslc->memory_mb && !named.memory_bytes) named.memory_bytes = *policy.wslc->memory_mb << 20;
  if (policy.wslc && policy.wslc->cpu_count && !named.cpus) named.cpus = *policy.wslc->cpu_count;
  Resources& limits = effective.resources.value;
  for (const Limit& limit : kLimits) {
    if (!(named.*limit.value)) continue;
    limits.*limit.value = named.*limit.value;
    effective.named_limits.emplace_back(limit.name);
  }
  if (named.cpus) {
    limits.cpus = named.cpus;
    effective.named_limits.emplace_back(kCpus);
  }
  if (!effective.named_limits.empty()) {
    effective.resources.origin = PolicyOrigin(policy, ours ? "/x-linux/resources" : "/wslc");
  }
}

// The policy's value if it has one, else the profile's, which is complete.
template <class T>
Sourced<T> Choose(const Policy& policy, const std::optional<T>& value, const char* pointer,
                  const std::optional<Sourced<T>>& profile) {
  if (value) return {*value, PolicyOrigin(policy, pointer)};
  return *profile;
}

void ResolveOptions(const Policy& policy, const Profile& profile, EffectivePolicy& effective) {
  static const XLinux kNothing;
  const XLinux& x = policy.x_linux ? *policy.x_linux : kNothing;
  effective.landlock_required =
      Choose(policy, x.landlock.required, "/x-linux/landlock/required", profile.landlock_required);
  effective.tcp_bind = x.landlock.tcp_bind;
  effective.tcp_connect = x.landlock.tcp_connect;
  effective.on_exposed = Choose(policy, x.on_exposed, "/x-linux/on_exposed", profile.on_exposed);
  effective.on_missing = Choose(policy, x.on_missing, "/x-linux/on_missing", profile.on_missing);
  effective.nesting = Choose(policy, x.nesting, "/x-linux/nesting", profile.nesting);
  effective.time_namespace = Choose(policy, x.time_namespace, "/x-linux/timeNamespace", profile.time_namespace);
  effective.hostname = Choose(policy, x.hostname, "/x-linux/hostname", profile.hostname);
  effective.identity = {Identity::kCaller, {kBuiltin, "mxc", "", 0}};
  if (x.identity) effective.identity = {*x.identity, PolicyOrigin(policy, "/x-linux/identity")};
  effective.gpu = {Gpu::kNone, {kBuiltin, "mxc", "", 0}};
  if (x.gpu) effective.gpu = {*x.gpu, PolicyOrigin(policy, "/x-linux/gpu")};
  effective.own_session = {x.own_session, PolicyOrigin(policy, "/x-linux/isolation")};
  effective.seccomp_profile = Choose(policy, x.seccomp.profile, "/x-linux/seccomp/profile", profile.seccomp);
  // The default list forbids what nesting is for, so asking for nesting asks for its list, unless one is named.
  const bool builds_on_default = !x.seccomp.profile && *effective.seccomp_profile == "default";
  if (*effective.nesting && builds_on_default) effective.seccomp_profile = {"nesting", effective.nesting.origin};
  effective.sysfs = **profile.sysfs;
}

}  // namespace

Result<EffectivePolicy> Resolve(const Policy& policy, const ProfileSet& profiles, const std::vector<Floor>& floors,
                                const Caller& caller, const CommandLine& command_line) {
  MXC_TRY(RefuseUnbuilt(policy));
  const Profile& profile = *MXC_TRY(ChooseProfile(policy, profiles, floors, command_line));

  EffectivePolicy effective;
  effective.profile = profile.name;
  effective.run_name = policy.container_id ? *policy.container_id : command_line.run_name;
  effective.argv = MXC_TRY(ResolveCommand(policy, command_line));
  effective.cwd.origin = {kBuiltin, "mxc", "", 0};
  if (policy.process && policy.process->cwd) {
    effective.cwd = {MXC_TRY(LinuxPath(policy, *policy.process->cwd, "/process/cwd", caller)),
                     PolicyOrigin(policy, "/process/cwd")};
  }
  const PathRoots roots = MXC_TRY(RootsOf(caller, *effective.cwd));
  MXC_TRY(ResolveRootfs(policy, caller, roots, effective));
  effective.timeout_ms = *profile.timeout_ms;
  if (policy.process && (policy.process->timeout_ms != 0 || IsNamed(policy, "/process/timeout"))) {
    effective.timeout_ms = {policy.process->timeout_ms, PolicyOrigin(policy, "/process/timeout")};
  }
  ResolveResources(policy, profile, effective);
  ResolveOptions(policy, profile, effective);
  MXC_TRY(ResolveNetwork(policy, profiles, profile, caller, effective));
  for (const Floor& floor : floors) MXC_TRY(NarrowOptions(floor, effective));

  effective.paths = MXC_TRY(ResolvePaths(policy, profile, floors, caller, roots, (*effective.rootfs).has_value()));
  MXC_TRY(ResolveEnvironment(policy, profile, floors, caller, effective));
  return effective;
}

}  // namespace mxc::policy
