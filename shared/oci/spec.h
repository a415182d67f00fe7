// The OCI runtime specification's configuration (config.json) for Linux, version 1.2 and what 1.3 added, as plain values.
//
// Nothing here is checked: json.h reads and writes it, validate.h says whether a runtime may act on it. Names (actions,
// namespaces, capabilities, rlimits) stay text as the document spells them. A member is optional where absence means
// something else than zero; an empty string, list or map means the same as an absent one.
//
// Source: github.com/opencontainers/runtime-spec, config.md and config-linux.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#ifdef linux  // gnu++ modes define it as 1
#undef linux
#endif

namespace mxc::oci {

using Strings = std::vector<std::string>;

// `size` ids, from host_id outside and container_id inside. JSON: containerID, hostID, size.
struct IdMapping {
  uint32_t container_id = 0;
  uint32_t host_id = 0;
  uint32_t size = 0;
  bool operator==(const IdMapping&) const = default;
};

// ---- process ----------------------------------------------------------------------------------------------------

// In characters.
struct ConsoleSize {
  uint64_t height = 0;
  uint64_t width = 0;
  bool operator==(const ConsoleSize&) const = default;
};

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::optional<uint32_t> umask;
  std::vector<uint32_t> additional_gids;
  std::string username;  // Windows only; kept for round trips
  bool operator==(const User&) const = default;
};

// Names as in capabilities(7), "CAP_CHOWN". Absent lists are empty sets.
struct Capabilities {
  Strings bounding;
  Strings effective;
  Strings inheritable;
  Strings permitted;
  Strings ambient;
  bool operator==(const Capabilities&) const = default;
};

// UINT64_MAX is RLIM_INFINITY.
struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  uint64_t soft = 0;
  uint64_t hard = 0;
  bool operator==(const Rlimit&) const = default;
};

// sched_setattr(2). runtime, deadline and period in nanoseconds.
struct Scheduler {
  std::string policy;  // "SCHED_BATCH"
  std::optional<int32_t> nice;
  std::optional<int32_t> priority;
  Strings flags;  // "SCHED_FLAG_RESET_ON_FORK"
  std::optional<uint64_t> runtime;
  std::optional<uint64_t> deadline;
  std::optional<uint64_t> period;
  bool operator==(const Scheduler&) const = default;
};

// ioprio_set(2). JSON: class, priority.
struct IoPriority {
  std::string io_class;  // "IOPRIO_CLASS_BE"
  std::optional<int32_t> priority;
  bool operator==(const IoPriority&) const = default;
};

// CPU lists ("0-3,7") while entering the cgroup (initial) and for the program (final).
struct ExecCpuAffinity {
  std::string initial;
  std::string final;
  bool operator==(const ExecCpuAffinity&) const = default;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  Strings args;
  std::string command_line;                  // Windows only
  Strings env;                               // KEY=VALUE
  std::string cwd;                           // absolute
  std::optional<Capabilities> capabilities;  // absent: the runtime gives none
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::string apparmor_profile;
  std::string selinux_label;
  std::optional<int64_t> oom_score_adj;  // -1000 … 1000; absent: inherited
  std::optional<Scheduler> scheduler;
  std::optional<IoPriority> io_priority;
  std::optional<ExecCpuAffinity> exec_cpu_affinity;
  bool operator==(const Process&) const = default;
};

// ---- root, mounts, hooks ----------------------------------------------------------------------------------------

struct Root {
  std::string path;  // absolute, or relative to the bundle
  bool readonly = false;
  bool operator==(const Root&) const = default;
};

struct Mount {
  std::string destination;  // absolute, inside the container
  std::string type;         // a file system; "bind", or empty with "bind"/"rbind" in options
  std::string source;       // a bind's may be relative to the bundle
  Strings options;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  bool operator==(const Mount&) const = default;
};

struct Hook {
  std::string path;  // absolute, in the runtime's name space
  Strings args;
  Strings env;
  std::optional<int64_t> timeout;  // seconds, > 0
  bool operator==(const Hook&) const = default;
};

struct Hooks {
  std::vector<Hook> prestart;  // deprecated by the specification, still in use
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
  bool operator==(const Hooks&) const = default;
};

// ---- linux.resources --------------------------------------------------------------------------------------------

// A rule of the devices controller. major, minor: absent or -1 is any.
struct DeviceCgroup {
  bool allow = false;
  std::string type;  // "a", "c", "b"; empty: "a"
  std::optional<int64_t> major;
  std::optional<int64_t> minor;
  std::string access;  // of "rwm"
  bool operator==(const DeviceCgroup&) const = default;
};

// Bytes; -1: unlimited. swap is memory and swap together, as in cgroup v1's memsw.
struct MemoryResources {
  std::optional<int64_t> limit;
  std::optional<int64_t> reservation;
  std::optional<int64_t> swap;
  std::optional<int64_t> kernel;
  std::optional<int64_t> kernel_tcp;
  std::optional<uint64_t> swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<bool> use_hierarchy;
  std::optional<bool> check_before_update;
  bool operator==(const MemoryResources&) const = default;
};

// Times in microseconds. quota -1: unlimited.
struct CpuResources {
  std::optional<uint64_t> shares;
  std::optional<int64_t> quota;
  std::optional<uint64_t> burst;
  std::optional<uint64_t> period;
  std::optional<int64_t> realtime_runtime;
  std::optional<uint64_t> realtime_period;
  std::string cpus;  // list, "0-3,7"
  std::string mems;
  std::optional<int64_t> idle;
  bool operator==(const CpuResources&) const = default;
};

struct PidsResources {
  std::optional<int64_t> limit;  // <= 0: unlimited
  bool operator==(const PidsResources&) const = default;
};

struct WeightDevice {
  int64_t major = 0;
  int64_t minor = 0;
  std::optional<uint16_t> weight;
  std::optional<uint16_t> leaf_weight;
  bool operator==(const WeightDevice&) const = default;
};

// rate in bytes or operations a second.
struct ThrottleDevice {
  int64_t major = 0;
  int64_t minor = 0;
  uint64_t rate = 0;
  bool operator==(const ThrottleDevice&) const = default;
};

struct BlockIoResources {
  std::optional<uint16_t> weight;
  std::optional<uint16_t> leaf_weight;
  std::vector<WeightDevice> weight_device;
  std::vector<ThrottleDevice> throttle_read_bps_device;
  std::vector<ThrottleDevice> throttle_write_bps_device;
  std::vector<ThrottleDevice> throttle_read_iops_device;
  std::vector<ThrottleDevice> throttle_write_iops_device;
  bool operator==(const BlockIoResources&) const = default;
};

struct HugepageLimit {
  std::string page_size;  // "2MB"
  uint64_t limit = 0;     // bytes
  bool operator==(const HugepageLimit&) const = default;
};

struct InterfacePriority {
  std::string name;
  uint32_t priority = 0;
  bool operator==(const InterfacePriority&) const = default;
};

struct NetworkResources {
  std::optional<uint32_t> class_id;
  std::vector<InterfacePriority> priorities;
  bool operator==(const NetworkResources&) const = default;
};

struct Rdma {
  std::optional<uint32_t> hca_handles;
  std::optional<uint32_t> hca_objects;
  bool operator==(const Rdma&) const = default;
};

struct Resources {
  std::vector<DeviceCgroup> devices;
  MemoryResources memory;
  CpuResources cpu;
  PidsResources pids;
  BlockIoResources block_io;
  std::vector<HugepageLimit> hugepage_limits;
  NetworkResources network;
  std::map<std::string, Rdma> rdma;
  std::map<std::string, std::string> unified;  // file of cgroup v2 → content
  bool operator==(const Resources&) const = default;
};

// ---- linux ------------------------------------------------------------------------------------------------------

struct Namespace {
  std::string type;  // mount pid network uts ipc user cgroup time
  std::string path;  // to join; empty: a new one
  bool operator==(const Namespace&) const = default;
};

struct Device {
  std::string type;  // c b u p
  std::string path;  // absolute, inside the container
  int64_t major = 0;
  int64_t minor = 0;
  std::optional<uint32_t> file_mode;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  bool operator==(const Device&) const = default;
};

// A network device to move in; key of the map: its name in the runtime's namespace.
struct NetDevice {
  std::string name;  // inside; empty: unchanged
  bool operator==(const NetDevice&) const = default;
};

// value_two is the comparand of SCMP_CMP_MASKED_EQ, whose mask is value.
struct SeccompArg {
  uint32_t index = 0;
  uint64_t value = 0;
  uint64_t value_two = 0;
  std::string op;  // "SCMP_CMP_EQ"
  bool operator==(const SeccompArg&) const = default;
};

struct SeccompSyscall {
  Strings names;
  std::string action;                 // "SCMP_ACT_ALLOW"
  std::optional<uint32_t> errno_ret;  // absent: EPERM
  std::vector<SeccompArg> args;       // all must hold
  bool operator==(const SeccompSyscall&) const = default;
};

struct LinuxSeccomp {
  std::string default_action;
  std::optional<uint32_t> default_errno_ret;
  Strings architectures;  // "SCMP_ARCH_X86_64"; empty: the native one
  Strings flags;          // "SECCOMP_FILTER_FLAG_LOG"
  std::string listener_path;
  std::string listener_metadata;
  std::vector<SeccompSyscall> syscalls;
  bool operator==(const LinuxSeccomp&) const = default;
};

struct IntelRdt {
  std::string clos_id;
  Strings schemata;
  std::string l3_cache_schema;
  std::string mem_bw_schema;
  bool enable_cmt = false;
  bool enable_mbm = false;
  bool enable_monitoring = false;
  bool operator==(const IntelRdt&) const = default;
};

// set_mempolicy(2).
struct MemoryPolicy {
  std::string mode;   // "MPOL_BIND"
  std::string nodes;  // list
  Strings flags;
  bool operator==(const MemoryPolicy&) const = default;
};

struct Personality {
  std::string domain;  // LINUX, LINUX32
  Strings flags;
  bool operator==(const Personality&) const = default;
};

struct TimeOffset {
  int64_t secs = 0;
  uint32_t nanosecs = 0;
  bool operator==(const TimeOffset&) const = default;
};

struct Linux {
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::map<std::string, std::string> sysctl;
  std::optional<Resources> resources;
  std::string cgroups_path;
  std::vector<Namespace> namespaces;  // a kind that isn't listed is shared with the runtime
  std::vector<Device> devices;        // beside the default ones, which a runtime always makes
  std::map<std::string, NetDevice> net_devices;
  // Shared, since one profile's list (hundreds of names) serves every spec made from it. Null: no filter.
  std::shared_ptr<const LinuxSeccomp> seccomp;
  std::string rootfs_propagation;  // private shared slave unbindable
  Strings masked_paths;
  Strings readonly_paths;
  std::string mount_label;
  std::optional<IntelRdt> intel_rdt;
  std::optional<MemoryPolicy> memory_policy;
  std::optional<Personality> personality;
  std::map<std::string, TimeOffset> time_offsets;  // boottime, monotonic

  // Compares the seccomp lists by value.
  bool operator==(const Linux& other) const {
    auto rest = [](const Linux& x) {
      return std::tie(x.uid_mappings, x.gid_mappings, x.sysctl, x.resources, x.cgroups_path, x.namespaces, x.devices,
                      x.net_devices, x.rootfs_propagation, x.masked_paths, x.readonly_paths, x.mount_label, x.intel_rdt,
                      x.memory_policy, x.personality, x.time_offsets);
    };
    bool same_seccomp = seccomp == other.seccomp || (seccomp && other.seccomp && *seccomp == *other.seccomp);
    return same_seccomp && rest(*this) == rest(other);
  }
};

struct Spec {
  std::string oci_version;
  std::optional<Process> process;  // may be absent until start
  std::optional<Root> root;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;  // in the order in which they are made
  Hooks hooks;
  std::map<std::string, std::string> annotations;  // dev.mxc.*: extension.h
  Linux linux;
  bool operator==(const Spec&) const = default;
};

}  // namespace mxc::oci
