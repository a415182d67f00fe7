#include "linux_runtime/cgroup/mounts.h"

#include <algorithm>
#include <string_view>

namespace mxc::cgroup {
namespace {

std::string BaseOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The folder that `paths` has for the hierarchy called `list`; "" without one.
std::string PathIn(const std::vector<std::string>& paths, std::string_view list) {
  for (const std::string& text : paths) {
    size_t equals = text.find("=/");
    if (equals != std::string::npos && std::string_view(text).substr(0, equals) == list) return text.substr(equals + 1);
  }
  return "";
}

std::string UnifiedIn(const std::vector<std::string>& paths) {
  for (const std::string& text : paths) {
    size_t equals = text.find("=/");
    if (text.starts_with("unified") && equals != std::string::npos) return text.substr(equals + 1);
  }
  return "";
}

bool HasName(const CgroupMounts& mounts, std::string_view name) {
  return std::any_of(mounts.entries.begin(), mounts.entries.end(),
                     [&](const MountEntry& entry) { return entry.name == name; });
}

}  // namespace

CgroupMounts MountsOf(const Layout& layout, const std::vector<std::string>& paths) {
  CgroupMounts mounts;
  if (layout.version == Version::kV2) {
    mounts.v2 = true;
    std::string group = UnifiedIn(paths);
    if (group.empty()) group = layout.v2_own;
    if (!group.empty()) mounts.entries.push_back({"", std::move(group), "", false});
    return mounts;
  }
  for (const OwnGroup& own : layout.v1) {
    std::string name = BaseOf(own.mount), group = PathIn(paths, own.list);
    if (name.empty() || HasName(mounts, name)) continue;
    if (group.empty()) group = own.path;
    mounts.entries.push_back({std::move(name), std::move(group), own.list, false});
  }
  for (const OwnGroup& own : layout.v1) {
    std::string name = BaseOf(own.mount);
    std::string_view rest = own.list;
    while (rest.find(',') != std::string_view::npos || rest.size() < own.list.size()) {
      size_t comma = rest.find(',');
      std::string word(rest.substr(0, comma));
      if (!word.empty() && !HasName(mounts, word)) mounts.entries.push_back({word, name, "", true});
      if (comma == std::string_view::npos) break;
      rest = rest.substr(comma + 1);
    }
  }
  return mounts;
}

}  // namespace mxc::cgroup
