// The Policy model: one MXC one-shot request as its author wrote it, lifted to the newest
// contract, plus our x-linux extension.
// Readers of every contract version and of YAML produce this; nothing here is resolved, defaulted from a profile, or
// checked against a host. Profiles and the managed floor (see profile.h, floor.h) reuse the parts.
//
// Every value that came from the document can name its place there: Policy::positions maps JSON pointers to Positions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/domain.h"

namespace mxc::policy {

enum class Containment : uint8_t {
  kProcess,
  kProcessContainer,
  kLxc,
  kBubblewrap,
  kSeatbelt,
  kIsolationSession,
  kWslc,
  kVm,
  kWindowsSandbox,
  kMicrovm,
  kHyperlight,
  kMxc,  // ours: the same as kProcess
};
enum class Default : uint8_t { kDeny, kAllow };

struct Process {
  std::string command_line;                     // run by `sh -c`
  std::optional<std::string> cwd;               // absolute; "" in the document means absent
  std::optional<std::vector<std::string>> env;  // KEY=VALUE; absent: the default block; []: nothing
  bool inherit_default_env = false;
  uint32_t timeout_ms = 0;  // 0: none
  bool operator==(const Process&) const = default;
};

struct Filesystem {
  std::vector<std::string> readonly_paths;
  std::vector<std::string> readwrite_paths;
  std::vector<std::string> denied_paths;
  bool operator==(const Filesystem&) const = default;
};

enum class Protocol : uint8_t { kAny, kTcp, kUdp, kIcmp };

struct NetworkPeer {
  std::string cidr;
  std::vector<std::string> except;
  bool operator==(const NetworkPeer&) const = default;
};

struct NetworkPort {
  Protocol protocol = Protocol::kAny;
  std::optional<uint16_t> port;
  std::optional<uint16_t> end_port;
  bool operator==(const NetworkPort&) const = default;
};

struct NetworkRule {
  std::vector<NetworkPeer> to;     // empty: every address
  std::vector<NetworkPort> ports;  // empty: every port
  bool operator==(const NetworkRule&) const = default;
};

struct Network {
  Default egress = Default::kDeny;
  std::vector<NetworkRule> egress_allow;
  std::vector<NetworkRule> egress_deny;
  Default ingress = Default::kDeny;
  Default host_loopback = Default::kDeny;
  bool operator==(const Network&) const = default;
};

enum class Clipboard : uint8_t { kNone, kRead, kWrite, kAll };

struct Ui {
  bool disable = true;
  Clipboard clipboard = Clipboard::kNone;
  bool injection = false;
  bool operator==(const Ui&) const = default;
};

struct Lifecycle {
  bool destroy_on_exit = true;
  bool preserve_policy = false;
  bool operator==(const Lifecycle&) const = default;
};

struct Lxc {
  std::string distribution;
  std::string release;
  bool operator==(const Lxc&) const = default;
};

struct PortMapping {
  uint16_t container_port = 0;
  uint16_t host_port = 0;  // windowsPort
  bool operator==(const PortMapping&) const = default;
};

struct Wslc {
  std::optional<uint32_t> cpu_count;
  std::optional<uint64_t> memory_mb;
  bool gpu = false;
  std::optional<std::string> image, image_tar_path, storage_path, target_os;
  std::vector<PortMapping> port_mappings;  // TCP
  bool operator==(const Wslc&) const = default;
};

// ---- x-linux ----------------------------------------------------------------------------------------------------

// Limits of one sandbox. Absent: the profile's, else the default profile's.
struct Resources {
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> swap_bytes;  // on top of memory; 0: none
  std::optional<double> cpus;          // 1.5: one and a half processors
  std::optional<uint64_t> pids;
  std::optional<uint64_t> tmp_bytes;      // size of /tmp
  std::optional<uint64_t> shm_bytes;      // size of /dev/shm
  std::optional<uint64_t> tmpfs_inodes;   // of each tmpfs
  std::optional<uint64_t> open_files;     // RLIMIT_NOFILE, soft and hard
  std::optional<uint64_t> file_bytes;     // RLIMIT_FSIZE
  std::optional<uint64_t> memlock_bytes;  // RLIMIT_MEMLOCK; UINT64_MAX: unlimited
  std::optional<uint64_t> stack_bytes;    // RLIMIT_STACK
  std::optional<uint64_t> core_bytes;     // RLIMIT_CORE, default 0
  bool operator==(const Resources&) const = default;
};

struct LandlockOptions {
  std::optional<bool> required;                   // true: refuse to run on a kernel without Landlock
  std::optional<std::vector<uint16_t>> tcp_bind;  // absent: Landlock handles no TCP
  std::optional<std::vector<uint16_t>> tcp_connect;
  bool operator==(const LandlockOptions&) const = default;
};

struct SeccompOptions {
  std::optional<std::string> profile;  // name of a shipped or installed list: default, ml, build, untrusted …
  bool operator==(const SeccompOptions&) const = default;
};

enum class OnExposed : uint8_t { kCover, kKill };           // a denied name was replaced from outside
enum class OnMissing : uint8_t { kWatch, kRefuse, kSeal };  // a denied name doesn't exist yet
enum class Identity : uint8_t { kCaller, kHostRoot };
enum class Gpu : uint8_t { kNone, kWsl };  // kWsl: /dev/dxg and the driver's libraries that WSL mounts

// A path entry that may carry conditions; profiles and x-linux.paths use it, Microsoft's three lists become it.
struct ConditionalPath {
  std::string path;
  bool if_present = false;
  bool operator==(const ConditionalPath&) const = default;
};

// A port that the sandbox and its host share (x-linux.ports).
struct SharedPort {
  bool inward =
      true;  // direction "in": the host's port leads into the sandbox; "out": the sandbox's leads to the host's
  bool udp = false;
  std::optional<std::string> host_address;  // absent: 127.0.0.1 and ::1
  uint16_t host_port = 0;                   // absent in the document: as container_port
  uint16_t container_port = 0;
  bool operator==(const SharedPort&) const = default;
};

struct XLinux {
  std::optional<std::string> profile;
  std::optional<std::string> rootfs;  // a folder that becomes / (read-only) instead of the baseline
  Resources resources;
  SeccompOptions seccomp;
  LandlockOptions landlock;
  std::vector<std::string> env_pass;                 // names taken over from the caller's environment
  std::vector<ConditionalPath> readonly_if_present;  // x-linux.ifPresent.readonlyPaths …
  std::vector<ConditionalPath> readwrite_if_present;
  std::vector<std::string> protect;  // read-only when there, can't be created when not
  std::optional<OnExposed> on_exposed;
  std::optional<OnMissing> on_missing;
  std::optional<Identity> identity;
  std::optional<Gpu> gpu;
  bool own_session = false;     // isolation: "session": ids and a home that nobody else has
  std::optional<bool> nesting;  // mount and user namespaces inside; drops Landlock's file part
  std::optional<bool> time_namespace;
  std::optional<std::string> hostname;
  Domains domains;
  std::optional<uint64_t> domain_sent_bytes;  // x-linux.domains.maxSent: the most that may go to one name
  std::vector<std::string> domain_groups;     // x-linux.domains.groups: parts of profiles that allow names
  std::vector<SharedPort> ports;
  bool operator==(const XLinux&) const = default;
};

struct Policy {
  std::string version;           // exact spelling of the contract that the rest is in the form of
  std::string declared_version;  // the document's own, which may be older
  std::optional<std::string> container_id;
  Containment containment = Containment::kProcess;
  std::optional<Process> process;  // required by the contract; absent only in `mxc run` documents completed by CMD
  Filesystem filesystem;
  Network network;
  std::optional<std::string> network_proxy;  // runtimeConfig.networkProxy
  Ui ui;
  Lifecycle lifecycle;
  bool allow_dacl_mutation = true;  // fallback.allowDaclMutation; Windows only
  bool telemetry = false;
  std::optional<Lxc> lxc;
  std::optional<Wslc> wslc;
  std::optional<XLinux> x_linux;

  std::string source;                         // file name, as the user gave it; "-" for standard input
  std::map<std::string, Position> positions;  // JSON pointer → place in the document
};

}  // namespace mxc::policy
