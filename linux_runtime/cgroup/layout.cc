#include "linux_runtime/cgroup/layout.h"

#include <algorithm>
#include <optional>

namespace mxc::cgroup {
namespace {

struct Named {
  Controllers bit;
  std::string_view name, v1_name;
};
constexpr Named kNames[] = {
    {kMemory, "memory", "memory"},
    {kPids, "pids", "pids"},
    {kCpu, "cpu", "cpu"},
    {kCpuset, "cpuset", "cpuset"},
    {kHugetlb, "hugetlb", "hugetlb"},
    {kIo, "io", "blkio"},
    {kCpuacct, "cpuacct", "cpuacct"},
    {kFreezer, "freezer", "freezer"},
    {kDevices, "devices", "devices"},
    {kNetCls, "net_cls", "net_cls"},
    {kNetPrio, "net_prio", "net_prio"},
    {kRdma, "rdma", "rdma"},
    {kMisc, "misc", "misc"},
};
// What decides between v1 and v2: the ones that limit. A v1 tree of net_cls or name=systemd alone decides nothing.
constexpr Controllers kDeciding = kMemory | kPids | kCpu;

// Takes the text up to `separator` off the front of `rest`; all of it when there is none.
std::string_view Take(std::string_view& rest, char separator) {
  size_t end = rest.find(separator);
  std::string_view head = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return head;
}

// mountinfo writes blank, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

struct CgroupMount {
  std::string root, point;
  std::string_view options;  // of the file system: "rw,cpu,cpuacct"
  bool v2 = false;
};

// 31 23 0:28 /root /point rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct
std::optional<CgroupMount> ParseMount(std::string_view line) {
  size_t dash = line.find(" - cgroup");
  if (dash == std::string_view::npos) return std::nullopt;
  std::string_view after = line.substr(dash + 3), before = line.substr(0, dash);
  std::string_view type = Take(after, ' ');
  if (type != "cgroup" && type != "cgroup2") return std::nullopt;
  CgroupMount mount;
  mount.v2 = type == "cgroup2";
  Take(before, ' ');
  Take(before, ' ');
  Take(before, ' ');
  mount.root = Unescape(Take(before, ' '));
  mount.point = Unescape(Take(before, ' '));
  Take(after, ' ');
  mount.options = after;
  return mount;
}

// Whether a v1 mount is of the hierarchy that /proc/self/cgroup calls `list`. One word of it is enough: no controller or
// name is in two hierarchies.
bool IsOf(const CgroupMount& mount, std::string_view list) {
  std::string_view word = Take(list, ','), options = mount.options;
  while (!options.empty()) {
    if (Take(options, ',') == word) return true;
  }
  return false;
}

// The group `own` of a hierarchy as a path below a mount that shows the hierarchy from `root` on.
std::optional<std::string> Locate(const CgroupMount& mount, std::string_view own) {
  std::string_view root = mount.root;
  if (root == "/") root = "";
  if (!own.starts_with(root) || own.starts_with("/..")) return std::nullopt;
  std::string_view rest = own.substr(root.size());
  if (!rest.empty() && rest[0] != '/') return std::nullopt;
  if (rest == "/") rest = "";
  return mount.point + std::string(rest);
}

}  // namespace

std::string ControllerNames(Controllers set, char separator) {
  std::string text;
  for (const Named& named : kNames) {
    if ((set & named.bit) == 0) continue;
    if (!text.empty()) text += separator;
    text += named.name;
  }
  return text;
}

Controllers ParseControllers(std::string_view list) {
  Controllers set = 0;
  while (!list.empty()) {
    size_t end = list.find_first_of(", \n");
    std::string_view word = list.substr(0, end);
    for (const Named& named : kNames) {
      if (word == named.name || word == named.v1_name) set |= named.bit;
    }
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
  }
  return set;
}

std::string_view VersionName(Version version) {
  switch (version) {
    case Version::kNone:
      return "none";
    case Version::kV1:
      return "v1";
    case Version::kHybrid:
      return "hybrid";
    case Version::kV2:
      return "v2";
  }
  return "";
}

Layout ParseLayout(std::string_view mountinfo, std::string_view self_cgroup) {
  std::vector<CgroupMount> mounts;
  while (!mountinfo.empty()) {
    if (auto mount = ParseMount(Take(mountinfo, '\n'))) mounts.push_back(std::move(*mount));
  }
  Layout layout;
  Controllers lost = 0;
  std::string_view v2_path;
  while (!self_cgroup.empty()) {
    // 4:memory:/user  5:cpu,cpuacct:/  0::/v2
    std::string_view line = Take(self_cgroup, '\n');
    std::string_view id = Take(line, ':');
    std::string_view list = Take(line, ':');
    if (list.empty()) {
      if (id == "0") v2_path = line;
      continue;
    }
    Controllers controllers = ParseControllers(list);
    bool mounted = false, found = false;
    for (const CgroupMount& mount : mounts) {
      if (mount.v2 || !IsOf(mount, list)) continue;
      mounted = true;
      auto path = Locate(mount, line);
      if (!path) continue;
      layout.v1.push_back({controllers, std::move(*path), std::string(list), mount.point});
      found = true;
      break;
    }
    if (mounted && !found) lost |= controllers;
  }
  Controllers v1 = lost;
  for (const OwnGroup& own : layout.v1) v1 |= own.controllers;
  auto v2 = std::find_if(mounts.begin(), mounts.end(), [](const CgroupMount& mount) { return mount.v2; });
  if ((v1 & kDeciding) != 0) {
    layout.version = v2 == mounts.end() ? Version::kV1 : Version::kHybrid;
    layout.unreachable = ControllerNames(lost);
    return layout;
  }
  layout.v1.clear();
  if (v2 == mounts.end()) return layout;
  layout.version = Version::kV2;
  for (; v2 != mounts.end(); ++v2) {
    if (!v2->v2) continue;
    if (auto own = Locate(*v2, v2_path); own && !v2_path.empty()) {
      layout.v2_mount = v2->point;
      layout.v2_own = std::move(*own);
      return layout;
    }
    if (layout.v2_mount.empty()) layout.v2_mount = v2->point;
  }
  layout.unreachable = "all";
  return layout;
}

}  // namespace mxc::cgroup
