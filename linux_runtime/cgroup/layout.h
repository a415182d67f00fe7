// Where this host's cgroup controllers are mounted and in which group of each the caller is: cgroup v1, v2, and the
// hybrid of both, read from mountinfo and /proc/self/cgroup (proc(5), cgroups(7)). Text in, values out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mxc::cgroup {

// A set of controllers.
using Controllers = uint32_t;
inline constexpr Controllers kMemory = 1 << 0;
inline constexpr Controllers kPids = 1 << 1;
inline constexpr Controllers kCpu = 1 << 2;
inline constexpr Controllers kCpuset = 1 << 3;
inline constexpr Controllers kHugetlb = 1 << 4;
inline constexpr Controllers kIo = 1 << 5;        // v1: blkio
inline constexpr Controllers kCpuacct = 1 << 6;   // v1 only; v2 counts processor time in every group
inline constexpr Controllers kFreezer = 1 << 7;   // v1 only; v2 freezes every group
inline constexpr Controllers kDevices = 1 << 8;   // v1 only; v2 has BPF programs for it
inline constexpr Controllers kNetCls = 1 << 9;    // v1 only
inline constexpr Controllers kNetPrio = 1 << 10;  // v1 only
inline constexpr Controllers kRdma = 1 << 11;
inline constexpr Controllers kMisc = 1 << 12;

// "memory pids", as the kernel names them; separator between two.
std::string ControllerNames(Controllers set, char separator = ' ');
// From a list separated by spaces or commas; other words count for nothing.
Controllers ParseControllers(std::string_view list);

enum class Version : uint8_t {
  kNone,
  kV1,
  kHybrid,  // v1 holds the controllers; a v2 tree without them is there too and is left alone
  kV2,
};
std::string_view VersionName(Version version);

// The caller's own group in one mounted v1 hierarchy, as a path of the file system.
struct OwnGroup {
  Controllers controllers = 0;  // 0: a named hierarchy ("name=systemd"), or controllers that limit nothing here
  std::string path;
  std::string list = {};   // as /proc/self/cgroup names the hierarchy: "cpu,cpuacct", "name=systemd"
  std::string mount = {};  // its mount point, from which absolute cgroup paths count
  bool operator==(const OwnGroup&) const = default;
};

struct Layout {
  Version version = Version::kNone;
  std::vector<OwnGroup> v1;  // one each hierarchy; cpu and cpuacct may share one or not
  std::string v2_mount;      // "/sys/fs/cgroup"; set for kV2 only
  std::string v2_own;        // the caller's group, at or below v2_mount
  std::string unreachable;   // controllers whose mount does not show the caller's group, "memory pids"
};

// mountinfo: /proc/self/mountinfo. self_cgroup: /proc/self/cgroup. Costs no system call.
Layout ParseLayout(std::string_view mountinfo, std::string_view self_cgroup);

}  // namespace mxc::cgroup
