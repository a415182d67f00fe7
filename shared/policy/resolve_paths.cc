#include "shared/policy/resolve_paths.h"

#include <algorithm>

#include "shared/policy/doors.h"
#include "shared/policy/path_tree.h"
#include "shared/policy/windows_path.h"

namespace mxc::policy {
namespace {

// Collects the rules of one run before they are settled.
class Collector {
 public:
  Collector(const Policy& policy, const Profile& profile, const Caller& caller, const PathRoots& roots)
      : policy_(policy), profile_(profile), caller_(caller), roots_(roots), doors_(roots, caller) {
    rules_.reserve(256);
  }

  Result<std::vector<PathRule>> Collect(bool has_rootfs) {
    if (!has_rootfs) {
      for (const PathPattern& pattern : profile_.paths.baseline) {
        if (auto path = Expand(pattern, roots_))
          AddProfileRule(pattern, *std::move(path), Access::kReadOnly).baseline = true;
      }
    }
    MXC_TRY(AddPolicy(has_rootfs));
    MXC_TRY(AddProfileGrants(profile_.paths.readonly, Access::kReadOnly));
    MXC_TRY(AddProfileGrants(profile_.paths.readwrite, Access::kReadWrite));
    AddProfileLimits();
    doors_.AddTo(rules_);
    return std::move(rules_);
  }

 private:
  PathRule& AddRule(std::string path, Access access, Origin origin) {
    PathRule& rule = rules_.emplace_back();
    rule.path = std::move(path);
    rule.access = access;
    rule.origin = std::move(origin);
    return rule;
  }

  PathRule& AddProfileRule(const PathPattern& pattern, std::string path, Access access) {
    PathRule& rule = AddRule(std::move(path), access, OriginOf(pattern, Layer::kProfile));
    rule.if_present = pattern.if_present;
    return rule;
  }

  Result<void> AddPolicyList(const std::vector<std::string>& paths, const char* list, Access access) {
    for (size_t i = 0; i < paths.size(); ++i) MXC_TRY(AddPolicyPath(paths[i], list + std::to_string(i), access));
    return {};
  }

  Result<void> AddPolicyPath(std::string_view text, std::string pointer, Access access) {
    std::string path = MXC_TRY(LinuxPath(policy_, text, pointer, caller_));
    if (auto check = doors_.CheckGrant(path, access); !check.ok()) {
      return std::move(check).error().WithPosition(PlaceInPolicy(policy_, pointer));
    }
    if (access == Access::kReadWrite) granted_.push_back(path);
    AddRule(std::move(path), access, PolicyOrigin(policy_, std::move(pointer))).windows = OnDrive(text);
    return {};
  }

  // In its one spelling; "": it lies on no drive.
  std::string OnDrive(std::string_view text) const {
    if (!LooksLikeWindowsPath(text)) return "";
    Result<WindowsPlace> place = ParseWindowsPath(text, {caller_.automount_root, caller_.distro});
    const DrivePath* drive = place.ok() ? std::get_if<DrivePath>(&*place) : nullptr;
    return drive == nullptr ? "" : WindowsText(*drive);
  }

  Result<void> AddPolicy(bool has_rootfs) {
    MXC_TRY(AddPolicyList(policy_.filesystem.readonly_paths, "/filesystem/readonlyPaths/", Access::kReadOnly));
    MXC_TRY(AddPolicyList(policy_.filesystem.readwrite_paths, "/filesystem/readwritePaths/", Access::kReadWrite));
    if (has_rootfs) {
      const auto root =
          std::find_if(rules_.begin(), rules_.end(), [](const PathRule& rule) { return rule.path == "/"; });
      if (root != rules_.end()) {
        return Error(Code::kRefused, "\"/\" is granted and x-linux.rootfs puts another folder in its place")
            .WithPosition(PlaceInPolicy(policy_, root->origin.pointer))
            .WithHint("remove one of both");
      }
    }
    MXC_TRY(AddPolicyList(policy_.filesystem.denied_paths, "/filesystem/deniedPaths/", Access::kDeny));
    if (!policy_.x_linux) return {};
    // Who has a home of its own has it whole.
    if (policy_.x_linux->own_session && !roots_.home.empty()) {
      AddRule(roots_.home, Access::kReadWrite, PolicyOrigin(policy_, "/x-linux/isolation"));
    }
    MXC_TRY(
        AddConditional(policy_.x_linux->readonly_if_present, "/x-linux/ifPresent/readonlyPaths/", Access::kReadOnly));
    MXC_TRY(AddConditional(policy_.x_linux->readwrite_if_present, "/x-linux/ifPresent/readwritePaths/",
                           Access::kReadWrite));
    for (size_t i = 0; i < policy_.x_linux->protect.size(); ++i) {
      const std::string pointer = "/x-linux/protect/" + std::to_string(i);
      std::string path = MXC_TRY(LinuxPath(policy_, policy_.x_linux->protect[i], pointer, caller_));
      AddRule(std::move(path), Access::kReadOnly, PolicyOrigin(policy_, pointer)).protect = true;
    }
    return {};
  }

  Result<void> AddConditional(const std::vector<ConditionalPath>& paths, const char* list, Access access) {
    for (size_t i = 0; i < paths.size(); ++i) {
      MXC_TRY(AddPolicyPath(paths[i].path, list + std::to_string(i), access));
      rules_.back().if_present = paths[i].if_present;
    }
    return {};
  }

  Result<void> AddProfileGrants(const std::vector<PathPattern>& patterns, Access access) {
    for (const PathPattern& pattern : patterns) {
      auto path = Expand(pattern, roots_);
      if (!path) {
        return ProfileError(pattern, Code::kInvalid,
                            "the profile \"" + profile_.name + "\" grants \"" + Spell(pattern) +
                                "\", and the caller has no such folder")
            .WithHint("run in a folder, as a user with a home, or choose another profile");
      }
      if (pattern.root == PathRoot::kCwd) MXC_TRY(CheckWorkingDirectory(pattern, *path, access));
      if (auto check = doors_.CheckGrant(*path, access); !check.ok()) {
        return std::move(check).error().WithContext("the profile \"" + profile_.name + "\" grants " + Spell(pattern));
      }
      if (access == Access::kReadWrite && pattern.root == PathRoot::kCwd) granted_.push_back(*path);
      AddProfileRule(pattern, *std::move(path), access);
    }
    return {};
  }

  Error ProfileError(const PathPattern& pattern, Code code, std::string message) const {
    return Error(code, std::move(message))
        .WithPosition({std::string(pattern.file), pattern.line, 0, std::string(pattern.pointer)});
  }

  // A profile opens the folder that one happens to stand in: right for a project, wrong for a home or all of a disk.
  Result<void> CheckWorkingDirectory(const PathPattern& pattern, const std::string& path, Access access) const {
    if (access != Access::kReadWrite) return {};
    if (!IsWithin(roots_.home, path) || roots_.home.empty()) {
      if (path != "/") return {};
    }
    const auto same = [&](const PathRule& rule) { return rule.origin.layer == Layer::kPolicy && rule.path == path; };
    if (std::any_of(rules_.begin(), rules_.end(), same)) return {};
    return ProfileError(pattern, Code::kRefused,
                        "the profile \"" + profile_.name + "\" opens the working directory read-write, and \"" + path +
                            "\" holds the whole home directory")
        .WithHint("change into the project's folder, or set process.cwd to it");
  }

  // Denials and protections of the profile.
  void AddProfileLimits() {
    for (const PathRule& rule : rules_) {
      if (rule.access == Access::kReadWrite) writable_.push_back(rule.path);
    }
    // A sandbox that shows the base system only has no other name of anything in a home, so those rules say nothing.
    const bool only_base = std::none_of(rules_.begin(), rules_.end(), [&](const PathRule& rule) {
      return rule.access != Access::kDeny && !rule.protect && (!rule.baseline || IsWithin(roots_.home, rule.path));
    });
    for (const PathPattern& pattern : profile_.paths.denied) AddLimit(pattern, Access::kDeny, only_base);
    for (const PathPattern& pattern : profile_.paths.protect) AddLimit(pattern, Access::kReadOnly, only_base);
  }

  void AddLimit(const PathPattern& pattern, Access access, bool only_base) {
    const bool protect = access == Access::kReadOnly;
    if (pattern.root == PathRoot::kGranted) {
      for (const std::string& granted : granted_)
        AddProfileRule(pattern, *Expand(pattern, roots_, granted), access).protect = protect;
      return;
    }
    if (only_base && pattern.root != PathRoot::kAbsolute) return;
    if (auto path = Expand(pattern, roots_)) {
      if (protect && !UnderWritable(*path)) return;
      AddProfileRule(pattern, *std::move(path), access).protect = protect;
    }
  }

  // Protections elsewhere would be dropped when the tree is built; most are, so they aren't made first.
  bool UnderWritable(std::string_view path) const {
    return std::any_of(writable_.begin(), writable_.end(),
                       [&](const std::string& above) { return IsWithin(path, above); });
  }

  const Policy& policy_;
  const Profile& profile_;
  const Caller& caller_;
  const PathRoots& roots_;
  const Doors doors_;
  std::vector<PathRule> rules_;
  std::vector<std::string> granted_;   // what ${granted} stands for
  std::vector<std::string> writable_;  // all that is granted read-write
};

// ~ in a list of secrets must not quietly come to nothing.
Result<void> CheckHomeKnown(const Profile& profile, const PathRoots& roots) {
  if (!roots.home.empty()) return {};
  for (const PathPattern& pattern : profile.paths.denied) {
    if (pattern.root != PathRoot::kHome) continue;
    return Error(Code::kInvalid, "the profile \"" + profile.name + "\" denies \"" + Spell(pattern) +
                                     "\", and the caller's home directory is not known")
        .WithHint("run as a user with a home directory");
  }
  return {};
}

}  // namespace

Position PlaceInPolicy(const Policy& policy, const std::string& pointer) {
  const auto place = policy.positions.find(pointer);
  return place != policy.positions.end() ? place->second : Position{policy.source, 0, 0, pointer};
}

Origin PolicyOrigin(const Policy& policy, std::string pointer) {
  const auto place = policy.positions.find(pointer);
  return Origin{Layer::kPolicy, policy.source, std::move(pointer),
                place == policy.positions.end() ? 0 : place->second.line};
}

Result<std::string> LinuxPath(const Policy& policy, std::string_view text, const std::string& pointer,
                              const Caller& caller) {
  auto path =
      LooksLikeWindowsPath(text) ? TranslateWindowsPath(text, {caller.automount_root, caller.distro}) : Normalise(text);
  if (!path.ok()) return std::move(path).error().WithPosition(PlaceInPolicy(policy, pointer));
  return path;
}

Result<PathRoots> RootsOf(const Caller& caller, const std::optional<std::string>& cwd) {
  PathRoots roots;
  roots.uid = std::to_string(caller.uid);
  roots.automount_root = MXC_TRY_AS("automount root", Normalise(caller.automount_root));
  if (!caller.home.empty()) roots.home = MXC_TRY_AS("home directory of the caller", Normalise(caller.home));
  if (cwd) {
    roots.cwd = *cwd;
  } else if (!caller.cwd.empty()) {
    roots.cwd = MXC_TRY_AS("working directory of the caller", Normalise(caller.cwd));
  }
  roots.runtime_dir = "/run/user/" + roots.uid;
  for (const auto& [name, value] : caller.env) {
    // A caller's mistake there only matters to those who use it; the usual place stands then.
    if (name != "XDG_RUNTIME_DIR") continue;
    if (auto normal = Normalise(value); normal.ok()) roots.runtime_dir = *std::move(normal);
  }
  return roots;
}

Result<std::vector<PathRule>> ResolvePaths(const Policy& policy, const Profile& profile,
                                           const std::vector<Floor>& floors, const Caller& caller,
                                           const PathRoots& roots, bool has_rootfs) {
  MXC_TRY(CheckHomeKnown(profile, roots));
  Collector collector(policy, profile, caller, roots);
  std::vector<PathRule> tree = BuildLayeredTree(MXC_TRY(collector.Collect(has_rootfs)));
  for (const Floor& floor : floors) MXC_TRY(NarrowPaths(floor, roots, tree));
  return tree;
}

}  // namespace mxc::policy
