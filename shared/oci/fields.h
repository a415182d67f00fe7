// Which JSON name each member of spec.h has. The reader and the writer both walk these lists, so that neither can know a
// field that the other doesn't.
#pragma once

#include <string_view>
#include <tuple>

#include "shared/oci/spec.h"

namespace mxc::oci::fields {

enum class Need {
  kOptional,  // written when it says something
  kAlways,    // may be absent, but is always written, since readers of the output expect it
  kRequired,  // an error when absent
};

template <class C, class M>
struct Field {
  using Class = C;
  const char* name;
  M C::*member;
  Need need = Need::kOptional;
};
template <class C, class M>
Field(const char*, M C::*) -> Field<C, M>;
template <class C, class M>
Field(const char*, M C::*, Need) -> Field<C, M>;

inline constexpr Need kAlways = Need::kAlways;
inline constexpr Need kRequired = Need::kRequired;

// A std::tuple of Field for every struct that is a JSON object.
template <class T>
inline constexpr auto kOf = nullptr;

template <>
inline constexpr auto kOf<IdMapping> = std::tuple(Field{"containerID", &IdMapping::container_id, kRequired},
                                                  Field{"hostID", &IdMapping::host_id, kRequired},
                                                  Field{"size", &IdMapping::size, kRequired});
template <>
inline constexpr auto kOf<ConsoleSize> = std::tuple(Field{"height", &ConsoleSize::height, kRequired},
                                                    Field{"width", &ConsoleSize::width, kRequired});
template <>
inline constexpr auto kOf<User> = std::tuple(Field{"uid", &User::uid, kAlways}, Field{"gid", &User::gid, kAlways},
                                             Field{"umask", &User::umask},
                                             Field{"additionalGids", &User::additional_gids},
                                             Field{"username", &User::username});
template <>
inline constexpr auto kOf<Capabilities> = std::tuple(Field{"bounding", &Capabilities::bounding, kAlways},
                                                     Field{"effective", &Capabilities::effective, kAlways},
                                                     Field{"inheritable", &Capabilities::inheritable, kAlways},
                                                     Field{"permitted", &Capabilities::permitted, kAlways},
                                                     Field{"ambient", &Capabilities::ambient, kAlways});
template <>
inline constexpr auto kOf<Rlimit> = std::tuple(Field{"type", &Rlimit::type, kRequired},
                                               Field{"soft", &Rlimit::soft, kRequired},
                                               Field{"hard", &Rlimit::hard, kRequired});
template <>
inline constexpr auto kOf<Scheduler> = std::tuple(
    Field{"policy", &Scheduler::policy, kRequired}, Field{"nice", &Scheduler::nice},
    Field{"priority", &Scheduler::priority}, Field{"flags", &Scheduler::flags}, Field{"runtime", &Scheduler::runtime},
    Field{"deadline", &Scheduler::deadline}, Field{"period", &Scheduler::period});
template <>
inline constexpr auto kOf<IoPriority> = std::tuple(Field{"class", &IoPriority::io_class, kRequired},
                                                   Field{"priority", &IoPriority::priority});
template <>
inline constexpr auto kOf<ExecCpuAffinity> = std::tuple(Field{"initial", &ExecCpuAffinity::initial},
                                                        Field{"final", &ExecCpuAffinity::final});
template <>
inline constexpr auto kOf<Process> = std::tuple(
    Field{"terminal", &Process::terminal}, Field{"consoleSize", &Process::console_size},
    Field{"user", &Process::user, kAlways}, Field{"args", &Process::args}, Field{"commandLine", &Process::command_line},
    Field{"env", &Process::env}, Field{"cwd", &Process::cwd, kRequired}, Field{"capabilities", &Process::capabilities},
    Field{"rlimits", &Process::rlimits}, Field{"noNewPrivileges", &Process::no_new_privileges},
    Field{"apparmorProfile", &Process::apparmor_profile}, Field{"selinuxLabel", &Process::selinux_label},
    Field{"oomScoreAdj", &Process::oom_score_adj}, Field{"scheduler", &Process::scheduler},
    Field{"ioPriority", &Process::io_priority}, Field{"execCPUAffinity", &Process::exec_cpu_affinity});
template <>
inline constexpr auto kOf<Root> = std::tuple(Field{"path", &Root::path, kRequired}, Field{"readonly", &Root::readonly});
template <>
inline constexpr auto kOf<Mount> = std::tuple(Field{"destination", &Mount::destination, kRequired},
                                              Field{"type", &Mount::type}, Field{"source", &Mount::source},
                                              Field{"options", &Mount::options},
                                              Field{"uidMappings", &Mount::uid_mappings},
                                              Field{"gidMappings", &Mount::gid_mappings});
template <>
inline constexpr auto kOf<Hook> = std::tuple(Field{"path", &Hook::path, kRequired}, Field{"args", &Hook::args},
                                             Field{"env", &Hook::env}, Field{"timeout", &Hook::timeout});
template <>
inline constexpr auto kOf<Hooks> = std::tuple(Field{"prestart", &Hooks::prestart},
                                              Field{"createRuntime", &Hooks::create_runtime},
                                              Field{"createContainer", &Hooks::create_container},
                                              Field{"startContainer", &Hooks::start_container},
                                              Field{"poststart", &Hooks::poststart},
                                              Field{"poststop", &Hooks::poststop});
template <>
inline constexpr auto kOf<DeviceCgroup> = std::tuple(Field{"allow", &DeviceCgroup::allow, kRequired},
                                                     Field{"type", &DeviceCgroup::type},
                                                     Field{"major", &DeviceCgroup::major},
                                                     Field{"minor", &DeviceCgroup::minor},
                                                     Field{"access", &DeviceCgroup::access});
template <>
inline constexpr auto kOf<MemoryResources> =
    std::tuple(Field{"limit", &MemoryResources::limit}, Field{"reservation", &MemoryResources::reservation},
               Field{"swap", &MemoryResources::swap}, Field{"kernel", &MemoryResources::kernel},
               Field{"kernelTCP", &MemoryResources::kernel_tcp}, Field{"swappiness", &MemoryResources::swappiness},
               Field{"disableOOMKiller", &MemoryResources::disable_oom_killer},
               Field{"useHierarchy", &MemoryResources::use_hierarchy},
               Field{"checkBeforeUpdate", &MemoryResources::check_before_update});
template <>
inline constexpr auto kOf<CpuResources> = std::tuple(
    Field{"shares", &CpuResources::shares}, Field{"quota", &CpuResources::quota}, Field{"burst", &CpuResources::burst},
    Field{"period", &CpuResources::period}, Field{"realtimeRuntime", &CpuResources::realtime_runtime},
    Field{"realtimePeriod", &CpuResources::realtime_period}, Field{"cpus", &CpuResources::cpus},
    Field{"mems", &CpuResources::mems}, Field{"idle", &CpuResources::idle});
template <>
inline constexpr auto kOf<PidsResources> = std::tuple(Field{"limit", &PidsResources::limit});
template <>
inline constexpr auto kOf<WeightDevice> = std::tuple(Field{"major", &WeightDevice::major, kRequired},
                                                     Field{"minor", &WeightDevice::minor, kRequired},
                                                     Field{"weight", &WeightDevice::weight},
                                                     Field{"leafWeight", &WeightDevice::leaf_weight});
template <>
inline constexpr auto kOf<ThrottleDevice> = std::tuple(Field{"major", &ThrottleDevice::major, kRequired},
                                                       Field{"minor", &ThrottleDevice::minor, kRequired},
                                                       Field{"rate", &ThrottleDevice::rate, kAlways});
template <>
inline constexpr auto kOf<BlockIoResources> =
    std::tuple(Field{"weight", &BlockIoResources::weight}, Field{"leafWeight", &BlockIoResources::leaf_weight},
               Field{"weightDevice", &BlockIoResources::weight_device},
               Field{"throttleReadBpsDevice", &BlockIoResources::throttle_read_bps_device},
               Field{"throttleWriteBpsDevice", &BlockIoResources::throttle_write_bps_device},
               Field{"throttleReadIOPSDevice", &BlockIoResources::throttle_read_iops_device},
               Field{"throttleWriteIOPSDevice", &BlockIoResources::throttle_write_iops_device});
template <>
inline constexpr auto kOf<HugepageLimit> = std::tuple(Field{"pageSize", &HugepageLimit::page_size, kRequired},
                                                      Field{"limit", &HugepageLimit::limit, kRequired});
template <>
inline constexpr auto kOf<InterfacePriority> = std::tuple(Field{"name", &InterfacePriority::name, kRequired},
                                                          Field{"priority", &InterfacePriority::priority, kRequired});
template <>
inline constexpr auto kOf<NetworkResources> = std::tuple(Field{"classID", &NetworkResources::class_id},
                                                         Field{"priorities", &NetworkResources::priorities});
template <>
inline constexpr auto kOf<Rdma> = std::tuple(Field{"hcaHandles", &Rdma::hca_handles},
                                             Field{"hcaObjects", &Rdma::hca_objects});
template <>
inline constexpr auto kOf<Resources> =
    std::tuple(Field{"devices", &Resources::devices}, Field{"memory", &Resources::memory},
               Field{"cpu", &Resources::cpu}, Field{"pids", &Resources::pids}, Field{"blockIO", &Resources::block_io},
               Field{"hugepageLimits", &Resources::hugepage_limits}, Field{"network", &Resources::network},
               Field{"rdma", &Resources::rdma}, Field{"unified", &Resources::unified});
template <>
inline constexpr auto kOf<Namespace> = std::tuple(Field{"type", &Namespace::type, kRequired},
                                                  Field{"path", &Namespace::path});
template <>
inline constexpr auto kOf<Device> = std::tuple(Field{"type", &Device::type, kRequired},
                                               Field{"path", &Device::path, kRequired},
                                               Field{"major", &Device::major, kAlways},
                                               Field{"minor", &Device::minor, kAlways},
                                               Field{"fileMode", &Device::file_mode}, Field{"uid", &Device::uid},
                                               Field{"gid", &Device::gid});
template <>
inline constexpr auto kOf<NetDevice> = std::tuple(Field{"name", &NetDevice::name});
template <>
inline constexpr auto kOf<SeccompArg> = std::tuple(Field{"index", &SeccompArg::index, kRequired},
                                                   Field{"value", &SeccompArg::value, kRequired},
                                                   Field{"valueTwo", &SeccompArg::value_two},
                                                   Field{"op", &SeccompArg::op, kRequired});
template <>
inline constexpr auto kOf<SeccompSyscall> = std::tuple(Field{"names", &SeccompSyscall::names, kRequired},
                                                       Field{"action", &SeccompSyscall::action, kRequired},
                                                       Field{"errnoRet", &SeccompSyscall::errno_ret},
                                                       Field{"args", &SeccompSyscall::args});
template <>
inline constexpr auto kOf<LinuxSeccomp> = std::tuple(Field{"defaultAction", &LinuxSeccomp::default_action, kRequired},
                                                     Field{"defaultErrnoRet", &LinuxSeccomp::default_errno_ret},
                                                     Field{"architectures", &LinuxSeccomp::architectures},
                                                     Field{"flags", &LinuxSeccomp::flags},
                                                     Field{"listenerPath", &LinuxSeccomp::listener_path},
                                                     Field{"listenerMetadata", &LinuxSeccomp::listener_metadata},
                                                     Field{"syscalls", &LinuxSeccomp::syscalls});
template <>
inline constexpr auto kOf<IntelRdt> = std::tuple(Field{"closID", &IntelRdt::clos_id},
                                                 Field{"schemata", &IntelRdt::schemata},
                                                 Field{"l3CacheSchema", &IntelRdt::l3_cache_schema},
                                                 Field{"memBwSchema", &IntelRdt::mem_bw_schema},
                                                 Field{"enableCMT", &IntelRdt::enable_cmt},
                                                 Field{"enableMBM", &IntelRdt::enable_mbm},
                                                 Field{"enableMonitoring", &IntelRdt::enable_monitoring});
template <>
inline constexpr auto kOf<MemoryPolicy> = std::tuple(Field{"mode", &MemoryPolicy::mode, kRequired},
                                                     Field{"nodes", &MemoryPolicy::nodes},
                                                     Field{"flags", &MemoryPolicy::flags});
template <>
inline constexpr auto kOf<Personality> = std::tuple(Field{"domain", &Personality::domain, kRequired},
                                                    Field{"flags", &Personality::flags});
template <>
inline constexpr auto kOf<TimeOffset> = std::tuple(Field{"secs", &TimeOffset::secs, kAlways},
                                                   Field{"nanosecs", &TimeOffset::nanosecs, kAlways});
template <>
inline constexpr auto kOf<Linux> = std::tuple(
    Field{"uidMappings", &Linux::uid_mappings}, Field{"gidMappings", &Linux::gid_mappings},
    Field{"sysctl", &Linux::sysctl}, Field{"resources", &Linux::resources}, Field{"cgroupsPath", &Linux::cgroups_path},
    Field{"namespaces", &Linux::namespaces}, Field{"devices", &Linux::devices},
    Field{"netDevices", &Linux::net_devices}, Field{"seccomp", &Linux::seccomp},
    Field{"rootfsPropagation", &Linux::rootfs_propagation}, Field{"maskedPaths", &Linux::masked_paths},
    Field{"readonlyPaths", &Linux::readonly_paths}, Field{"mountLabel", &Linux::mount_label},
    Field{"intelRdt", &Linux::intel_rdt}, Field{"memoryPolicy", &Linux::memory_policy},
    Field{"personality", &Linux::personality}, Field{"timeOffsets", &Linux::time_offsets});
template <>
inline constexpr auto kOf<Spec> = std::tuple(Field{"ociVersion", &Spec::oci_version, kRequired},
                                             Field{"process", &Spec::process}, Field{"root", &Spec::root},
                                             Field{"hostname", &Spec::hostname}, Field{"domainname", &Spec::domainname},
                                             Field{"mounts", &Spec::mounts}, Field{"hooks", &Spec::hooks},
                                             Field{"annotations", &Spec::annotations}, Field{"linux", &Spec::linux});

template <class T>
concept Object = !std::is_null_pointer_v<std::remove_cvref_t<decltype(kOf<T>)>>;

}  // namespace mxc::oci::fields
