#include "linux_runtime/cgroup/place.h"

namespace mxc::cgroup {
namespace {

Error BadPath(const std::string& path, const char* why) {
  return Error(Code::kInvalid, "linux.cgroupsPath: '" + path + "' " + why);
}

// "a//b/./c/" → "a/b/c".
Result<std::string> Clean(const std::string& path) {
  std::string clean;
  std::string_view rest = path;
  while (!rest.empty()) {
    size_t slash = rest.find('/');
    std::string_view name = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") return BadPath(path, "holds \"..\"");
    if (name.size() > 255) return BadPath(path, "has a name of more than 255 bytes");
    // The kernel refuses a newline, which would split lines of /proc/PID/cgroup.
    if (name.find('\n') != std::string_view::npos) return BadPath(path, "holds a newline");
    if (!clean.empty()) clean += '/';
    clean += name;
  }
  if (clean.empty()) return BadPath(path, "is the root group, which belongs to the host");
  return clean;
}

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

Spot OnV2(const Hierarchy& hierarchy, const std::string& given, const std::string& clean) {
  const Layout& layout = hierarchy.layout();
  Spot spot{0, "", layout.v2_mount, clean};
  if (given.empty()) {
    // Where hierarchy.h found that groups can be made; else the try and its error are the caller's.
    if (!hierarchy.v2_parent().empty()) spot.top = hierarchy.v2_parent();
    if (!hierarchy.v2_make().empty()) spot.below = hierarchy.v2_make() + "/" + clean;
  } else if (!given.starts_with('/') && layout.v2_own.size() > layout.v2_mount.size()) {
    spot.top = ParentOf(layout.v2_own);
  }
  return spot;
}

}  // namespace

std::string DefaultGroupName(const std::string& id) { return "mxc." + id; }

Result<Place> PlaceOf(const Hierarchy& hierarchy, const std::string& cgroups_path, const std::string& id) {
  std::string clean = MXC_TRY(Clean(cgroups_path.empty() ? DefaultGroupName(id) : cgroups_path));
  const Layout& layout = hierarchy.layout();
  Place place;
  place.v2 = hierarchy.version() == Version::kV2;
  if (place.v2) {
    if (!layout.v2_own.empty() || cgroups_path.starts_with('/'))
      place.spots.push_back(OnV2(hierarchy, cgroups_path, clean));
    return place;
  }
  bool absolute = cgroups_path.starts_with('/');
  for (const OwnGroup& own : layout.v1) {
    place.spots.push_back({own.controllers, own.list, absolute ? own.mount : own.path, clean});
  }
  return place;
}

}  // namespace mxc::cgroup
