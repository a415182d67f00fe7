// What a mount of type "cgroup" in a bundle's config.json stands for on this host: plain data, from which the mount plan
// makes steps. The container sees its own group and what it makes below it, in the shape that cgroups(7) has outside:
//
//   v1, hybrid  a tmpfs with one folder each v1 hierarchy ("memory", "cpu,cpuacct", "systemd") and, where controllers
//               share a hierarchy, one symbolic link each ("cpu" -> "cpu,cpuacct"). The v2 tree of a hybrid host is left
//               out, as runc leaves it out.
//   v2          the group itself at the mount point.
//
// With a cgroup namespace of its own (entered after it joined the group) the container mounts the file system afresh,
// which then starts at its group; without one, or where the kernel refuses that (EPERM, EBUSY), the folder of its group
// is bound. Both are given.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/cgroup/layout.h"

namespace mxc::cgroup {

struct MountEntry {
  std::string name;     // one component below the mount point; empty: the mount point itself (v2)
  std::string source;   // of the host, to bind: the container's group. A symbolic link: its target, relative
  std::string options;  // of a fresh v1 mount, mount(2)'s data: "cpu,cpuacct", "none,name=systemd"; empty for v2
  bool is_symlink = false;
  bool operator==(const MountEntry&) const = default;
};

struct CgroupMounts {
  bool v2 = false;                  // file system "cgroup2" at the mount point; else "cgroup", each entry below a tmpfs
  std::vector<MountEntry> entries;  // folders first, then links; empty: this host has no cgroups to show
  bool operator==(const CgroupMounts&) const = default;
};

// paths: the container's group as Group::Paths() says. A hierarchy that it has no part in, and every one when paths is
// empty (no group was made), shows the caller's own group, where the container then is. Costs no system call.
CgroupMounts MountsOf(const Layout& layout, const std::vector<std::string>& paths);

}  // namespace mxc::cgroup
