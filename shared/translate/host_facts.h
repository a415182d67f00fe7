// What translating a policy has to know of the host that will run it. Plain data: mxc asks mxcd or looks itself, and a
// file (--host-facts) stands in for it, so that a policy can be translated for another machine or on Windows.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace mxc::translate {

enum class CgroupLayout : uint8_t { kNone, kV1, kHybrid, kV2 };

struct CgroupFacts {
  CgroupLayout layout = CgroupLayout::kNone;
  std::vector<std::string> controllers;  // in which the caller may make groups: "memory", "pids", "cpu", …
  bool delegated = false;                // by systemd or by ownership, to a caller who isn't root
  bool operator==(const CgroupFacts&) const = default;
  bool Has(std::string_view controller) const;
};

// The user for whom the sandbox runs (as root under sudo: who called it is decided before).
struct CallerFacts {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string user;   // login name; empty: unknown
  std::string group;  // name of gid; empty: unknown
  std::string home;
  std::string cwd;                         // the directory the caller is in
  std::vector<uint32_t> groups;            // supplementary
  std::map<std::string, std::string> env;  // values of names that a policy may pass on; others need not be there
  std::vector<std::string> own_programs;   // where mxc itself lies on that host, if not under /usr/local
  bool operator==(const CallerFacts&) const = default;
};

struct WslFacts {
  bool is_wsl = false;          // WSL 2
  std::string networking_mode;  // nat, mirrored, virtioproxy, none; empty: unknown
  std::string distribution;
  bool gpu = false;  // /dev/dxg is there
  bool operator==(const WslFacts&) const = default;
};

struct HostFacts {
  uint32_t kernel_major = 0;
  uint32_t kernel_minor = 0;
  uint32_t landlock_abi = 0;  // 0: none
  CgroupFacts cgroup;
  bool root = false;                            // started with effective uid 0 in the initial user namespace
  bool user_namespaces = true;                  // may be made by the caller
  bool time_namespaces = true;                  // Linux 5.6 with CONFIG_TIME_NS
  bool maps_several_ids = false;                // root, or newuidmap and an entry in /etc/subuid
  bool raises_limits = false;                   // CAP_SYS_RESOURCE in the initial user namespace
  std::map<std::string, uint64_t> hard_limits;  // "RLIMIT_NOFILE" → the caller's hard limit; absent: unlimited
  CallerFacts caller;
  WslFacts wsl;
  uint32_t cpus = 1;
  uint64_t memory_bytes = 0;  // 0: unknown
  bool merged_usr = true;     // /bin is a link to usr/bin
  // Of /etc/resolv.conf, as they stand there.
  std::vector<std::string> nameservers;
  // What an ordinary user lacks for a link to the network that carries more than TCP, in a few words. "": nothing.
  std::string link_missing;

  bool operator==(const HostFacts&) const = default;

  bool KernelAtLeast(uint32_t major, uint32_t minor) const {
    return kernel_major > major || (kernel_major == major && kernel_minor >= minor);
  }

  // The documented set used where no host can be asked: WSL2 as Microsoft ships it (kernel 6.6, Landlock ABI 3, cgroup v2
  // delegated by systemd with cpu, memory and pids), the first user of a distribution (uid 1000, /home/user, in /),
  // rootless, 4 processors, 8 GiB.
  static HostFacts Generic();
};

// Strict: unknown names are errors, absent ones keep the default of the type. Errors name the pointer.
Result<HostFacts> ReadHostFacts(std::string_view json, const std::string& source);

// Indented JSON. ReadHostFacts(WriteHostFacts(x)) == x for UTF-8 text.
std::string WriteHostFacts(const HostFacts& facts);

}  // namespace mxc::translate
