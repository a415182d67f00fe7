#include "shared/oci/names.h"

#include <algorithm>
#include <iterator>

namespace mxc::oci {
namespace {

template <size_t N>
bool OneOf(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool OneOfWithPrefix(std::string_view name, std::string_view prefix, auto& names) {
  return name.starts_with(prefix) && OneOf(name.substr(prefix.size()), names);
}

constexpr std::string_view kNamespaces[] = {"mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time"};
constexpr std::string_view kCapabilities[] = {"CHOWN",
                                              "DAC_OVERRIDE",
                                              "DAC_READ_SEARCH",
                                              "FOWNER",
                                              "FSETID",
                                              "KILL",
                                              "SETGID",
                                              "SETUID",
                                              "SETPCAP",
                                              "LINUX_IMMUTABLE",
                                              "NET_BIND_SERVICE",
                                              "NET_BROADCAST",
                                              "NET_ADMIN",
                                              "NET_RAW",
                                              "IPC_LOCK",
                                              "IPC_OWNER",
                                              "SYS_MODULE",
                                              "SYS_RAWIO",
                                              "SYS_CHROOT",
                                              "SYS_PTRACE",
                                              "SYS_PACCT",
                                              "SYS_ADMIN",
                                              "SYS_BOOT",
                                              "SYS_NICE",
                                              "SYS_RESOURCE",
                                              "SYS_TIME",
                                              "SYS_TTY_CONFIG",
                                              "MKNOD",
                                              "LEASE",
                                              "AUDIT_WRITE",
                                              "AUDIT_CONTROL",
                                              "SETFCAP",
                                              "MAC_OVERRIDE",
                                              "MAC_ADMIN",
                                              "SYSLOG",
                                              "WAKE_ALARM",
                                              "BLOCK_SUSPEND",
                                              "AUDIT_READ",
                                              "PERFMON",
                                              "BPF",
                                              "CHECKPOINT_RESTORE"};
constexpr std::string_view kRlimits[] = {"AS",      "CORE",     "CPU",        "DATA",   "FSIZE", "LOCKS",
                                         "MEMLOCK", "MSGQUEUE", "NICE",       "NOFILE", "NPROC", "RSS",
                                         "RTPRIO",  "RTTIME",   "SIGPENDING", "STACK"};
constexpr std::string_view kSchedulers[] = {"OTHER", "FIFO", "RR", "BATCH", "ISO", "IDLE", "DEADLINE"};
constexpr std::string_view kSchedulerFlags[] = {"RESET_ON_FORK", "RECLAIM",        "DL_OVERRUN",    "KEEP_POLICY",
                                                "KEEP_PARAMS",   "UTIL_CLAMP_MIN", "UTIL_CLAMP_MAX"};
constexpr std::string_view kIoClasses[] = {"RT", "BE", "IDLE"};
constexpr std::string_view kPropagations[] = {"private",  "shared",  "slave",  "unbindable",
                                              "rprivate", "rshared", "rslave", "runbindable"};
constexpr std::string_view kActions[] = {"KILL",  "KILL_PROCESS", "KILL_THREAD", "TRAP",  "ERRNO",
                                         "TRACE", "ALLOW",        "LOG",         "NOTIFY"};
constexpr std::string_view kOperators[] = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
constexpr std::string_view kArchitectures[] = {"X86",         "X86_64", "X32",    "ARM",       "AARCH64", "LOONGARCH64",
                                               "M68K",        "MIPS",   "MIPS64", "MIPS64N32", "MIPSEL",  "MIPSEL64",
                                               "MIPSEL64N32", "PPC",    "PPC64",  "PPC64LE",   "S390",    "S390X",
                                               "SH",          "SHEB",   "PARISC", "PARISC64",  "RISCV64"};
constexpr std::string_view kSeccompFlags[] = {"TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"};
constexpr std::string_view kPolicyModes[] = {"DEFAULT",   "BIND",           "INTERLEAVE", "WEIGHTED_INTERLEAVE",
                                             "PREFERRED", "PREFERRED_MANY", "LOCAL"};
constexpr std::string_view kPolicyFlags[] = {"NUMA_BALANCING", "RELATIVE_NODES", "STATIC_NODES"};

}  // namespace

bool IsNamespaceType(std::string_view name) { return OneOf(name, kNamespaces); }
bool IsCapability(std::string_view name) { return OneOfWithPrefix(name, "CAP_", kCapabilities); }
std::span<const std::string_view> CapabilityNames() { return kCapabilities; }
bool IsRlimit(std::string_view name) { return OneOfWithPrefix(name, "RLIMIT_", kRlimits); }
bool IsSchedulerPolicy(std::string_view name) { return OneOfWithPrefix(name, "SCHED_", kSchedulers); }
bool IsSchedulerFlag(std::string_view name) { return OneOfWithPrefix(name, "SCHED_FLAG_", kSchedulerFlags); }
bool IsIoPriorityClass(std::string_view name) { return OneOfWithPrefix(name, "IOPRIO_CLASS_", kIoClasses); }
bool IsPropagation(std::string_view name) { return OneOf(name, kPropagations); }
bool IsSeccompAction(std::string_view name) { return OneOfWithPrefix(name, "SCMP_ACT_", kActions); }
bool SeccompActionTakesErrno(std::string_view name) { return name == "SCMP_ACT_ERRNO" || name == "SCMP_ACT_TRACE"; }
bool IsSeccompOperator(std::string_view name) { return OneOfWithPrefix(name, "SCMP_CMP_", kOperators); }
bool IsSeccompArchitecture(std::string_view name) { return OneOfWithPrefix(name, "SCMP_ARCH_", kArchitectures); }
bool IsSeccompFlag(std::string_view name) { return OneOfWithPrefix(name, "SECCOMP_FILTER_FLAG_", kSeccompFlags); }
bool IsMemoryPolicyMode(std::string_view name) { return OneOfWithPrefix(name, "MPOL_", kPolicyModes); }
bool IsMemoryPolicyFlag(std::string_view name) { return OneOfWithPrefix(name, "MPOL_F_", kPolicyFlags); }

}  // namespace mxc::oci
