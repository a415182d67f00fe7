// The shipped lists of system calls (policies/seccomp/*.yaml), embedded at build time: as OCI data for a spec, and as
// groups with their reasons for `mxc why --syscall NAME`. No YAML is read at run time and no header of an OS is needed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/oci/spec.h"

namespace mxc::translate {

enum class SeccompVerdict : uint8_t { kAllow, kErrno, kKill };

// (low 32 bits of argument `arg` & mask) == value
struct SeccompCondition {
  uint8_t arg;
  uint32_t mask;
  uint32_t value;
};

// Calls with one verdict. One group of a YAML file makes several where it has alternatives; they share name and why.
struct SeccompEntry {
  std::string_view list;  // the file it stands in: "default" also for what "ml" inherits
  std::string_view group;
  std::string_view why;
  std::string_view when;  // the group's conditions as text; "" without
  SeccompVerdict verdict;
  uint16_t error;               // kErrno: Linux's number, on every platform
  std::string_view error_name;  // kErrno: "EPERM"
  std::span<const std::string_view> calls;
  std::span<const SeccompCondition> conditions;  // all must hold; empty: always
};

struct SeccompProfile {
  std::string_view name;
  std::string_view summary;
  std::string_view inherits;  // "" for default
  std::span<const std::string_view> flags;
  std::span<const SeccompEntry> entries;
};

// All shipped lists, by name.
std::span<const SeccompProfile> SeccompProfiles();

// The list as OCI data, made on the first call and kept; nullptr for a name that isn't shipped.
const oci::LinuxSeccomp* FindSeccompProfile(std::string_view name);

// The same for oci::Linux::seccomp.
std::shared_ptr<const oci::LinuxSeccomp> ShareSeccompProfile(std::string_view name);

// Which shipped list this object is (by address), without making any; "" for others.
std::string_view SeccompProfileName(const oci::LinuxSeccomp* list);

// Number of rules in the list's OCI data, without making it; 0 for a name that isn't shipped.
size_t SeccompRuleCount(std::string_view name);

struct SyscallAnswer {
  enum class Kind : uint8_t { kUnknownProfile, kUnknownSyscall, kAllowed, kConditional, kErrno, kKilled };
  Kind kind;
  std::string_view list;  // the file whose group decides
  std::string_view group;
  std::string_view why;
  std::string_view when;                     // kConditional: what must hold, else `error_name`
  std::string_view error_name;               // kErrno, kConditional
  std::vector<std::string_view> allowed_by;  // shipped lists that allow it (with conditions or without), for the hint
};

// What the shipped list `profile` says about a call. kUnknownSyscall: no list names it, so it gets ENOSYS.
SyscallAnswer ExplainSyscall(std::string_view profile, std::string_view syscall);

}  // namespace mxc::translate
