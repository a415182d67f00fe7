#include "linux_runtime/sandbox/names.h"

#include <sys/resource.h>

#include <array>
#include <utility>

namespace mxc::sandbox {
namespace {

using namespace std::string_view_literals;

constexpr std::array kCapabilities = {
    "CHOWN"sv,
    "DAC_OVERRIDE"sv,
    "DAC_READ_SEARCH"sv,
    "FOWNER"sv,
    "FSETID"sv,
    "KILL"sv,
    "SETGID"sv,
    "SETUID"sv,
    "SETPCAP"sv,
    "LINUX_IMMUTABLE"sv,
    "NET_BIND_SERVICE"sv,
    "NET_BROADCAST"sv,
    "NET_ADMIN"sv,
    "NET_RAW"sv,
    "IPC_LOCK"sv,
    "IPC_OWNER"sv,
    "SYS_MODULE"sv,
    "SYS_RAWIO"sv,
    "SYS_CHROOT"sv,
    "SYS_PTRACE"sv,
    "SYS_PACCT"sv,
    "SYS_ADMIN"sv,
    "SYS_BOOT"sv,
    "SYS_NICE"sv,
    "SYS_RESOURCE"sv,
    "SYS_TIME"sv,
    "SYS_TTY_CONFIG"sv,
    "MKNOD"sv,
    "LEASE"sv,
    "AUDIT_WRITE"sv,
    "AUDIT_CONTROL"sv,
    "SETFCAP"sv,
    "MAC_OVERRIDE"sv,
    "MAC_ADMIN"sv,
    "SYSLOG"sv,
    "WAKE_ALARM"sv,
    "BLOCK_SUSPEND"sv,
    "AUDIT_READ"sv,
    "PERFMON"sv,
    "BPF"sv,
    "CHECKPOINT_RESTORE"sv,
};

constexpr std::pair<std::string_view, int> kRlimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},       {"RLIMIT_FSIZE", RLIMIT_FSIZE},       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},   {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

}  // namespace

std::optional<int> CapabilityNumber(std::string_view name) {
  if (!name.starts_with("CAP_")) return std::nullopt;
  name.remove_prefix(4);
  for (size_t number = 0; number < kCapabilities.size(); ++number) {
    if (kCapabilities[number] == name) return static_cast<int>(number);
  }
  return std::nullopt;
}

std::string CapabilityName(int number) {
  const size_t index = static_cast<size_t>(number);
  if (index >= kCapabilities.size()) return "capability " + std::to_string(number);
  return "CAP_" + std::string(kCapabilities[index]);
}

std::optional<int> RlimitNumber(std::string_view name) {
  for (auto [known, number] : kRlimits) {
    if (known == name) return number;
  }
  return std::nullopt;
}

std::string_view RlimitName(int resource) {
  for (auto [known, number] : kRlimits) {
    if (number == resource) return known;
  }
  return "";
}

}  // namespace mxc::sandbox
