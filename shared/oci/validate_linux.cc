#include "shared/oci/validate_linux.h"

#include <algorithm>
#include <set>

#include "shared/oci/names.h"

namespace mxc::oci {
namespace {

constexpr char kLinux[] = "/linux/";

std::string At(const std::string& list, size_t index) { return list + '/' + std::to_string(index); }

bool HasDotDot(std::string_view path) {
  for (size_t start = 0; start <= path.size();) {
    size_t end = std::min(path.find('/', start), path.size());
    if (path.substr(start, end - start) == "..") return true;
    start = end + 1;
  }
  return false;
}

// Whether any two of the half-open ranges share a number.
bool Overlap(std::vector<std::pair<uint64_t, uint64_t>> ranges) {
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) return true;
  }
  return false;
}

Result<void> ValidateNamespaces(const Spec& spec) {
  std::set<std::string_view> seen;
  for (size_t i = 0; i < spec.linux.namespaces.size(); ++i) {
    const Namespace& one = spec.linux.namespaces[i];
    std::string pointer = At("/linux/namespaces", i);
    if (!IsNamespaceType(one.type)) {
      return InvalidField(pointer + "/type", "\"" + one.type +
                                                 "\" is not a kind of namespace (mount, pid, network, uts, "
                                                 "ipc, user, cgroup, time)");
    }
    if (!seen.insert(one.type).second) return InvalidField(pointer, "a second " + one.type + " namespace");
    if (!one.path.empty() && one.path[0] != '/') return InvalidField(pointer + "/path", "not an absolute path");
  }
  return {};
}

Result<void> ValidateMappingsOfSpec(const Spec& spec) {
  const Linux& os = spec.linux;
  MXC_TRY(ValidateIdMappings(os.uid_mappings, "/linux/uidMappings"));
  MXC_TRY(ValidateIdMappings(os.gid_mappings, "/linux/gidMappings"));
  if (os.uid_mappings.empty() && os.gid_mappings.empty()) return {};
  std::string pointer = os.uid_mappings.empty() ? "/linux/gidMappings" : "/linux/uidMappings";
  // One that is joined by its path has its mappings already; podman repeats them for the containers of a pod.
  if (std::any_of(os.namespaces.begin(), os.namespaces.end(), [](const Namespace& one) { return one.type == "user"; }))
    return {};
  return InvalidField(pointer, "mappings without a user namespace in /linux/namespaces");
}

// Only what belongs to one of the container's own namespaces: anything else would change the host.
Result<void> ValidateSysctl(const Spec& spec) {
  for (const auto& [written, value] : spec.linux.sysctl) {
    std::string name = written;
    std::replace(name.begin(), name.end(), '/', '.');
    std::string pointer = "/linux/sysctl/" + written;
    if (HasDotDot(written) || name.find("..") != std::string::npos) return InvalidField(pointer, "not a sysctl's name");
    static const std::set<std::string_view> kIpc = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                                    "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                                    "kernel.shmmni", "kernel.shm_rmid_forced"};
    const char* needs = nullptr;
    if (name.starts_with("net.")) needs = "network";
    if (kIpc.contains(name) || name.starts_with("fs.mqueue.")) needs = "ipc";
    if (name == "kernel.domainname") needs = "uts";
    if (needs == nullptr) return InvalidField(pointer, "this sysctl belongs to no namespace and would change the host");
    if (!HasNamespace(spec, needs)) {
      return InvalidField(pointer, std::string("without a ") + needs + " namespace this would change the host");
    }
  }
  return {};
}

Result<void> ValidateDevices(const std::vector<Device>& devices) {
  for (size_t i = 0; i < devices.size(); ++i) {
    const Device& device = devices[i];
    std::string pointer = At("/linux/devices", i);
    if (device.type.size() != 1 || std::string_view("cbup").find(device.type) == std::string_view::npos) {
      return InvalidField(pointer + "/type", "\"" + device.type + "\" is not one of c, b, u, p");
    }
    if (!device.path.starts_with('/')) return InvalidField(pointer + "/path", "not an absolute path");
    if (HasDotDot(device.path)) return InvalidField(pointer + "/path", "the path holds \"..\"");
    // podman writes the kind of file into it, too.
    if (device.file_mode.value_or(0) > 0177777) return InvalidField(pointer + "/fileMode", "more than 0177777 (65535)");
    if (device.major < 0 || device.minor < 0) return InvalidField(pointer, "negative device number");
    if (device.type != "p" && device.major == 0 && device.minor == 0) {
      return InvalidField(pointer, "major and minor are required for a device of type " + device.type);
    }
  }
  return {};
}

Result<void> ValidatePaths(const Strings& paths, const std::string& pointer) {
  for (size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].starts_with('/')) return InvalidField(At(pointer, i), "not an absolute path");
  }
  return {};
}

// dev_valid_name() of the kernel.
bool IsInterfaceName(std::string_view name) {
  if (name.empty() || name.size() > 15 || name == "." || name == "..") return false;
  return name.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

Result<void> ValidateNetDevices(const Spec& spec) {
  if (!spec.linux.net_devices.empty() && !HasNamespace(spec, "network")) {
    return InvalidField("/linux/netDevices", "without a network namespace in /linux/namespaces");
  }
  for (const auto& [name, device] : spec.linux.net_devices) {
    std::string pointer = "/linux/netDevices/" + name;
    if (!IsInterfaceName(name)) return InvalidField(pointer, "not a network device's name");
    if (!device.name.empty() && !IsInterfaceName(device.name)) {
      return InvalidField(pointer + "/name", "not a network device's name (1 to 15 bytes without '/', ':' or space)");
    }
  }
  return {};
}

Result<void> ValidateTimeOffsets(const Spec& spec) {
  if (!spec.linux.time_offsets.empty() && !HasNamespace(spec, "time")) {
    return InvalidField("/linux/timeOffsets", "without a time namespace in /linux/namespaces");
  }
  for (const auto& [clock, offset] : spec.linux.time_offsets) {
    if (clock != "monotonic" && clock != "boottime") {
      return InvalidField("/linux/timeOffsets/" + clock, "not a clock with an offset (monotonic, boottime)");
    }
    if (offset.nanosecs >= 1'000'000'000)
      return InvalidField("/linux/timeOffsets/" + clock + "/nanosecs", "a second or more");
  }
  return {};
}

Result<void> ValidateOddments(const Linux& os) {
  if (!os.rootfs_propagation.empty() && !IsPropagation(os.rootfs_propagation)) {
    return InvalidField("/linux/rootfsPropagation",
                        "\"" + os.rootfs_propagation + "\" is not private, slave, shared or unbindable");
  }
  if (HasDotDot(os.cgroups_path)) return InvalidField("/linux/cgroupsPath", "the path holds \"..\"");
  if (os.personality) {
    if (os.personality->domain != "LINUX" && os.personality->domain != "LINUX32") {
      return InvalidField("/linux/personality/domain", "\"" + os.personality->domain + "\" is not LINUX or LINUX32");
    }
    if (!os.personality->flags.empty())
      return InvalidField("/linux/personality/flags", "the specification defines no flag");
  }
  if (os.memory_policy) {
    if (!IsMemoryPolicyMode(os.memory_policy->mode)) {
      return InvalidField("/linux/memoryPolicy/mode",
                          "\"" + os.memory_policy->mode + "\" is not a mode of set_mempolicy(2)");
    }
    for (size_t i = 0; i < os.memory_policy->flags.size(); ++i) {
      if (IsMemoryPolicyFlag(os.memory_policy->flags[i])) continue;
      return InvalidField(At("/linux/memoryPolicy/flags", i), "\"" + os.memory_policy->flags[i] + "\" is not known");
    }
  }
  if (os.intel_rdt) {
    const std::string& id = os.intel_rdt->clos_id;
    if (id == "." || id == ".." || id.find_first_of("/\n") != std::string::npos) {
      return InvalidField("/linux/intelRdt/closID", "not the name of one folder");
    }
  }
  return {};
}

}  // namespace

Error InvalidField(std::string pointer, std::string message) {
  return Error(Code::kInvalid, std::move(message)).WithPosition({"", 0, 0, std::move(pointer)});
}

bool HasNamespace(const Spec& spec, std::string_view type) {
  return std::any_of(spec.linux.namespaces.begin(), spec.linux.namespaces.end(),
                     [&](const Namespace& one) { return one.type == type; });
}

Result<void> ValidateIdMappings(const std::vector<IdMapping>& mappings, const std::string& pointer) {
  // (uint32_t)-1 is "no id" to the kernel.
  constexpr uint64_t kEnd = UINT32_MAX;
  std::vector<std::pair<uint64_t, uint64_t>> inside, outside;
  for (size_t i = 0; i < mappings.size(); ++i) {
    const IdMapping& one = mappings[i];
    if (one.size == 0) return InvalidField(At(pointer, i) + "/size", "a mapping of no ids");
    inside.emplace_back(one.container_id, uint64_t{one.container_id} + one.size);
    outside.emplace_back(one.host_id, uint64_t{one.host_id} + one.size);
    if (inside.back().second > kEnd || outside.back().second > kEnd) {
      return InvalidField(At(pointer, i), "the mapping runs past the last id, " + std::to_string(kEnd - 1));
    }
  }
  if (mappings.size() > 340)
    return InvalidField(pointer, "more than 340 mappings, the kernel's limit (user_namespaces(7))");
  if (Overlap(inside)) return InvalidField(pointer, "two mappings share a containerID");
  if (Overlap(outside)) return InvalidField(pointer, "two mappings share a hostID");
  return {};
}

Result<void> ValidateSeccomp(const LinuxSeccomp& seccomp) {
  const std::string base = "/linux/seccomp/";
  auto action = [](const std::string& name, const std::optional<uint32_t>& number, const std::string& pointer,
                   const std::string& action_name, const std::string& errno_name) -> Result<void> {
    if (!IsSeccompAction(name))
      return InvalidField(pointer + action_name, "\"" + name + "\" is not an action (SCMP_ACT_…)");
    if (!number) return {};
    if (!SeccompActionTakesErrno(name)) return InvalidField(pointer + errno_name, name + " takes no error number");
    // SECCOMP_RET_DATA has 16 bits; MAX_ERRNO is 4095.
    if (*number > (name == "SCMP_ACT_ERRNO" ? 4095u : 65535u)) return InvalidField(pointer + errno_name, "too large");
    return {};
  };
  MXC_TRY(action(seccomp.default_action, seccomp.default_errno_ret, base, "defaultAction", "defaultErrnoRet"));
  for (size_t i = 0; i < seccomp.architectures.size(); ++i) {
    if (IsSeccompArchitecture(seccomp.architectures[i])) continue;
    return InvalidField(At(base + "architectures", i),
                        "\"" + seccomp.architectures[i] + "\" is not known (SCMP_ARCH_…)");
  }
  for (size_t i = 0; i < seccomp.flags.size(); ++i) {
    if (IsSeccompFlag(seccomp.flags[i])) continue;
    return InvalidField(At(base + "flags", i), "\"" + seccomp.flags[i] + "\" is not known (SECCOMP_FILTER_FLAG_…)");
  }
  if (!seccomp.listener_metadata.empty() && seccomp.listener_path.empty()) {
    return InvalidField(base + "listenerMetadata", "without a listenerPath");
  }
  for (size_t i = 0; i < seccomp.syscalls.size(); ++i) {
    const SeccompSyscall& rule = seccomp.syscalls[i];
    // Built on error only: profiles have hundreds of rules.
    auto pointer = [&] { return At(base + "syscalls", i) + '/'; };
    if (!IsSeccompAction(rule.action) || rule.errno_ret) {
      MXC_TRY(action(rule.action, rule.errno_ret, pointer(), "action", "errnoRet"));
    }
    if (rule.names.empty()) return InvalidField(pointer() + "names", "no system call is named");
    for (size_t k = 0; k < rule.args.size(); ++k) {
      if (rule.args[k].index > 5)
        return InvalidField(At(pointer() + "args", k) + "/index", "a system call has arguments 0 to 5");
      if (IsSeccompOperator(rule.args[k].op)) continue;
      return InvalidField(At(pointer() + "args", k) + "/op",
                          "\"" + rule.args[k].op + "\" is not an operator (SCMP_CMP_…)");
    }
  }
  return {};
}

Result<void> ValidateResources(const Resources& resources) {
  const std::string base = "/linux/resources/";
  for (size_t i = 0; i < resources.devices.size(); ++i) {
    const DeviceCgroup& rule = resources.devices[i];
    if (rule.type.size() > 1 || std::string_view("acb").find(rule.type) == std::string_view::npos) {
      return InvalidField(At(base + "devices", i) + "/type", "\"" + rule.type + "\" is not one of a, c, b");
    }
    if (rule.access.find_first_not_of("rwm") != std::string::npos) {
      return InvalidField(At(base + "devices", i) + "/access",
                          "\"" + rule.access + "\" has other letters than r, w, m");
    }
  }
  const MemoryResources& memory = resources.memory;
  if (memory.limit.value_or(-1) > 0 && memory.swap.value_or(-1) > 0 && *memory.swap < *memory.limit) {
    return InvalidField(base + "memory/swap", "less than /linux/resources/memory/limit, which it includes");
  }
  if (memory.swappiness.value_or(0) > 100) return InvalidField(base + "memory/swappiness", "more than 100");
  const CpuResources& cpu = resources.cpu;
  // The kernel's bounds: sched/core.c, tg_set_cfs_bandwidth.
  if (cpu.period && *cpu.period != 0 && (*cpu.period < 1000 || *cpu.period > 1'000'000)) {
    return InvalidField(base + "cpu/period", "the kernel takes 1000 to 1000000 microseconds");
  }
  if (cpu.quota.value_or(-1) > 0 && *cpu.quota < 1000) {
    return InvalidField(base + "cpu/quota", "the kernel takes 1000 microseconds at least");
  }
  constexpr char kList[] = "0123456789,- ";
  if (cpu.cpus.find_first_not_of(kList) != std::string::npos)
    return InvalidField(base + "cpu/cpus", "not a list like 0-3,7");
  if (cpu.mems.find_first_not_of(kList) != std::string::npos)
    return InvalidField(base + "cpu/mems", "not a list like 0-3,7");
  for (size_t i = 0; i < resources.hugepage_limits.size(); ++i) {
    const std::string& size = resources.hugepage_limits[i].page_size;
    size_t digits = std::min(size.find_first_not_of("0123456789"), size.size());
    std::string_view unit = std::string_view(size).substr(digits);
    if (digits == 0 || size[0] == '0' || (unit != "KB" && unit != "MB" && unit != "GB")) {
      return InvalidField(At(base + "hugepageLimits", i) + "/pageSize", "\"" + size + "\" is not a size like 2MB");
    }
  }
  for (const auto& [file, content] : resources.unified) {
    if (file.empty() || file[0] == '.' || file.find('/') != std::string::npos) {
      return InvalidField(base + "unified", "\"" + file + "\" is not the name of a file in a cgroup");
    }
  }
  return {};
}

Result<void> ValidateLinux(const Spec& spec) {
  const Linux& os = spec.linux;
  MXC_TRY(ValidateNamespaces(spec));
  MXC_TRY(ValidateMappingsOfSpec(spec));
  MXC_TRY(ValidateSysctl(spec));
  if (os.resources) MXC_TRY(ValidateResources(*os.resources));
  MXC_TRY(ValidateDevices(os.devices));
  MXC_TRY(ValidateNetDevices(spec));
  if (os.seccomp) MXC_TRY(ValidateSeccomp(*os.seccomp));
  MXC_TRY(ValidatePaths(os.masked_paths, std::string(kLinux) + "maskedPaths"));
  MXC_TRY(ValidatePaths(os.readonly_paths, std::string(kLinux) + "readonlyPaths"));
  MXC_TRY(ValidateTimeOffsets(spec));
  return ValidateOddments(os);
}

}  // namespace mxc::oci
