// What the managed floor says about Windows' drives.
#include <algorithm>

#include "shared/policy/floor.h"
#include "shared/policy/path_tree.h"
#include "shared/policy/windows_guard.h"

namespace mxc::policy {
namespace {

std::string LinuxPathOf(const DrivePath& place, std::string_view automount_root) {
  std::string path = Join(automount_root, std::string(1, static_cast<char>(place.drive - 'A' + 'a')));
  for (const std::string& name : place.components) path.append("/").append(name);
  return path;
}

// The place on a drive that a path in normal form shows; nothing: it is none of a drive's.
std::optional<DrivePath> PlaceOf(std::string_view path, std::string_view automount_root) {
  if (!IsWithin(path, automount_root)) return std::nullopt;
  std::string_view rest = path.substr(automount_root == "/" ? 0 : automount_root.size());
  if (rest.size() < 2 || rest[1] < 'a' || rest[1] > 'z' || (rest.size() > 2 && rest[2] != '/')) return std::nullopt;
  DrivePath place{static_cast<char>(rest[1] - 'a' + 'A'), {}};
  rest.remove_prefix(2);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    place.components.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return place;
}

class Drives {
 public:
  Drives(const Floor& floor, std::string_view automount_root, std::vector<PathRule>& tree)
      : floor_(floor), root_(automount_root), tree_(tree) {}

  Result<void> Narrow() {
    std::vector<PathRule> kept;
    for (PathRule& rule : tree_) {
      std::optional<DrivePath> place;
      if (rule.access != Access::kDeny) place = PlaceOf(rule.path, root_);
      if (place) {
        MXC_TRY(NarrowGrant(std::move(rule), *place, kept));
      } else {
        kept.push_back(std::move(rule));
      }
    }
    // More than one grant may come to the same allowed place, and a denial wins over it.
    tree_ = BuildTree(std::move(kept));
    return CheckRest();
  }

 private:
  static PathRule Denial(PathRule rule, const Origin& origin) {
    rule.access = Access::kDeny;
    rule.if_present = rule.protect = false;
    rule.origin = origin;
    return rule;
  }

  Error Holds(const PathRule& rule, const std::string& what) const {
    return Error(Code::kRefused,
                 rule.path + " is granted and holds " + what + ", which the managed floor " + floor_.file +
                     " denies: Windows takes a name in any case, so no denial inside a grant would hold")
        .WithHint("grant the folders beside it, one by one");
  }

  // PAYROL~1 may be payroll under its short name, which only the volume knows.
  Result<void> CheckNames(const PathRule& rule, const DrivePath& place) const {
    for (const std::string& name : place.components) {
      const size_t at = name.find('~');
      if (at == std::string::npos || at + 1 == name.size() || name[at + 1] < '0' || name[at + 1] > '9') continue;
      return Error(Code::kRefused, rule.path + ": \"" + name +
                                       "\" may be the short name of a folder that the managed floor " + floor_.file +
                                       " denies")
          .WithHint("write the long name");
    }
    return {};
  }

  Result<void> NarrowGrant(PathRule rule, const DrivePath& place, std::vector<PathRule>& kept) const {
    if (!floor_.drives_denied.empty()) MXC_TRY(CheckNames(rule, place));
    for (const Sourced<DrivePath>& denied : floor_.drives_denied) {
      if (IsWithinIgnoringAsciiCase(place, *denied)) {
        kept.push_back(Denial(std::move(rule), denied.origin));
        return {};
      }
    }
    std::vector<PathRule> granted;
    if (!floor_.drives_only || std::any_of(floor_.drives_only->begin(), floor_.drives_only->end(),
                                           [&](const auto& only) { return IsWithinIgnoringAsciiCase(place, *only); })) {
      granted.push_back(std::move(rule));
    } else {
      for (const Sourced<DrivePath>& only : *floor_.drives_only) {
        if (!IsWithinIgnoringAsciiCase(*only, place) || rule.protect) continue;
        PathRule inside = rule;
        inside.path = LinuxPathOf(*only, root_);
        inside.if_present = true;
        inside.origin = only.origin;
        granted.push_back(std::move(inside));
      }
      Origin none{Layer::kFloor, floor_.file, "/filesystem/drives/only", 0};
      kept.push_back(Denial(std::move(rule), none));
    }
    for (PathRule& one : granted) {
      const std::optional<DrivePath> inside = PlaceOf(one.path, root_);
      for (const Sourced<DrivePath>& denied : floor_.drives_denied) {
        if (IsWithinIgnoringAsciiCase(*denied, *inside)) return Holds(one, WindowsText(*denied));
      }
      kept.push_back(std::move(one));
    }
    return {};
  }

  // A grant above all drives shows them.
  Result<void> CheckRest() const {
    for (char letter = 'a'; letter <= 'z'; ++letter) {
      const DrivePath drive{static_cast<char>(letter - 'a' + 'A'), {}};
      const auto denied = std::find_if(floor_.drives_denied.begin(), floor_.drives_denied.end(),
                                       [&](const auto& one) { return IsWithinIgnoringAsciiCase(*one, drive); });
      if (!floor_.drives_only && denied == floor_.drives_denied.end()) continue;
      const PathRule* rule = Lookup(tree_, Join(root_, std::string(1, letter)));
      if (rule == nullptr || rule->access == Access::kDeny || PlaceOf(rule->path, root_)) continue;
      return Holds(*rule, floor_.drives_only ? "drives of Windows" : WindowsText(**denied));
    }
    return {};
  }

  const Floor& floor_;
  const std::string_view root_;
  std::vector<PathRule>& tree_;
};

}  // namespace

Result<void> NarrowDrives(const Floor& floor, std::string_view automount_root, std::vector<PathRule>& tree) {
  if (!floor.drives_only && floor.drives_denied.empty()) return {};
  return Drives(floor, automount_root, tree).Narrow();
}

}  // namespace mxc::policy
