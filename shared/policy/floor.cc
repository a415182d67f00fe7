#include "shared/policy/floor.h"

#include <algorithm>

#include "shared/policy/limits.h"
#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Error Refused(const Floor& floor, const std::string& what) {
  return Error(Code::kRefused, what + " is forbidden by the managed floor " + floor.file);
}

void Insert(std::vector<PathRule>& tree, PathRule rule) {
  const auto at = std::lower_bound(tree.begin(), tree.end(), rule.path,
                                   [](const PathRule& r, const std::string& path) { return r.path < path; });
  tree.insert(at, std::move(rule));
}

PathRule FloorRule(std::string path, Access access, const PathPattern& pattern) {
  PathRule rule;
  rule.path = std::move(path);
  rule.access = access;
  rule.origin = OriginOf(pattern, Layer::kFloor);
  return rule;
}

void Deny(const std::string& path, const PathPattern& pattern, std::vector<PathRule>& tree) {
  // Denials below stay: each also holds at the other names of its own object.
  std::erase_if(tree, [&](const PathRule& rule) {
    return rule.path == path || (rule.access != Access::kDeny && IsWithin(rule.path, path));
  });
  Insert(tree, FloorRule(path, Access::kDeny, pattern));
}

void CapToReadOnly(const std::string& path, const PathPattern& pattern, std::vector<PathRule>& tree) {
  const PathRule* around = Lookup(tree, path);
  const bool writable_here = around != nullptr && around->access == Access::kReadWrite;
  for (PathRule& rule : tree) {
    if (rule.access != Access::kReadWrite || !IsWithin(rule.path, path)) continue;
    rule.access = Access::kReadOnly;
    rule.origin = OriginOf(pattern, Layer::kFloor);
  }
  if (!writable_here || Find(tree, path) != nullptr) return;
  // What doesn't exist can't be made either: otherwise its making would be the writing that is forbidden.
  PathRule rule = FloorRule(path, Access::kReadOnly, pattern);
  rule.if_present = true;
  rule.protect = true;
  Insert(tree, std::move(rule));
}

bool Asked(const EffectivePolicy& policy, Forbidden option) {
  switch (option) {
    case Forbidden::kNesting:
      return *policy.nesting;
    case Forbidden::kGpu:
      return *policy.gpu != Gpu::kNone;
    case Forbidden::kHostRoot:
      return *policy.identity == Identity::kHostRoot;
    case Forbidden::kRootfs:
      return (*policy.rootfs).has_value();
    case Forbidden::kEgress:
      return *policy.egress == Default::kAllow || !policy.egress_rules.empty() || !policy.name_rules.empty() ||
             (*policy.proxy).has_value();
    case Forbidden::kIngress:
      return *policy.ingress == Default::kAllow;
    case Forbidden::kHostLoopback:
      return *policy.host_loopback == Default::kAllow;
  }
  return true;
}

std::string NameOf(Forbidden option) {
  switch (option) {
    case Forbidden::kNesting:
      return "nesting";
    case Forbidden::kGpu:
      return "the gpu";
    case Forbidden::kHostRoot:
      return "identity host-root";
    case Forbidden::kRootfs:
      return "a root folder of one's own (rootfs)";
    case Forbidden::kEgress:
      return "network egress";
    case Forbidden::kIngress:
      return "network ingress";
    case Forbidden::kHostLoopback:
      return "access from the host's loopback";
  }
  return "an option";
}

template <class T>
bool Lower(std::optional<T>& value, const std::optional<T>& most) {
  if (!most || (value && *value <= *most)) return false;
  value = most;
  return true;
}

void NarrowResources(const Floor& floor, EffectivePolicy& policy) {
  Resources& limits = policy.resources.value;
  const auto narrowed = [&](std::string_view name) {
    if (!Contains(policy.named_limits, name)) policy.named_limits.emplace_back(name);
    policy.resources.origin = floor.maximum_origin;
  };
  for (const Limit& limit : kLimits) {
    if (Lower(limits.*limit.value, floor.maximum.*limit.value)) narrowed(limit.name);
  }
  if (Lower(limits.cpus, floor.maximum.cpus)) narrowed(kCpus);
}

int Strictness(OnMissing value) { return value == OnMissing::kWatch ? 0 : value == OnMissing::kSeal ? 1 : 2; }

}  // namespace

Result<void> CheckProfile(const Floor& floor, std::string_view profile) {
  if (!floor.profiles || Contains(*floor.profiles, profile)) return {};
  return Refused(floor, "the profile \"" + std::string(profile) + "\"")
      .WithHint("allowed are: " + Joined(*floor.profiles));
}

Result<void> NarrowPaths(const Floor& floor, const PathRoots& roots, std::vector<PathRule>& tree) {
  // The caller's environment says where the runtime folder is; a floor holds for the usual one as well.
  PathRoots usual = roots;
  usual.runtime_dir = "/run/user/" + roots.uid;
  for (const auto* list : {&floor.readonly, &floor.denied}) {
    for (const PathPattern& pattern : *list) {
      const auto path = Expand(pattern, roots);
      if (!path) {
        return Error(Code::kRefused, "the managed floor " + floor.file + " names \"" + Spell(pattern) +
                                         "\", and the caller's home is not known")
            .WithHint("run as a user with a home directory");
      }
      const auto narrow = list == &floor.denied ? Deny : CapToReadOnly;
      narrow(*path, pattern, tree);
      if (pattern.root == PathRoot::kRuntimeDir) narrow(*Expand(pattern, usual), pattern, tree);
    }
  }
  return NarrowDrives(floor, roots.automount_root, tree);
}

Result<void> NarrowOptions(const Floor& floor, EffectivePolicy& policy) {
  for (const auto& option : floor.forbid) {
    if (Asked(policy, *option))
      return Refused(floor, NameOf(*option)).WithHint("remove it from the policy, or choose a profile without it");
  }
  if (floor.seccomp && !Contains(*floor.seccomp, *policy.seccomp_profile)) {
    return Refused(floor, "the seccomp list \"" + *policy.seccomp_profile + "\"")
        .WithHint("allowed are: " + Joined(*floor.seccomp));
  }
  NarrowResources(floor, policy);
  if (floor.timeout_ms && **floor.timeout_ms != 0 &&
      (*policy.timeout_ms == 0 || *policy.timeout_ms > **floor.timeout_ms)) {
    policy.timeout_ms = *floor.timeout_ms;
  }
  if (floor.landlock_required && **floor.landlock_required && !*policy.landlock_required)
    policy.landlock_required = *floor.landlock_required;
  if (floor.on_exposed && **floor.on_exposed > *policy.on_exposed) policy.on_exposed = *floor.on_exposed;
  if (floor.on_missing && Strictness(**floor.on_missing) > Strictness(*policy.on_missing))
    policy.on_missing = *floor.on_missing;
  return {};
}

bool MayPass(const Floor& floor, std::string_view variable) { return !Contains(floor.env_deny, variable); }

}  // namespace mxc::policy
