#include "shared/translate/seccomp_profiles.h"

#include <algorithm>
#include <array>
#include <mutex>

namespace mxc::translate {
namespace {

#include "shared/translate/seccomp_profiles.inc"

constexpr size_t kCount = std::size(kProfiles);

// The OCI data of each profile, once somebody asked for it.
struct Made {
  std::array<oci::LinuxSeccomp, kCount> lists;
  std::array<std::once_flag, kCount> once;
};

Made& TheMade() {
  static Made made;
  return made;
}

const SeccompProfile* Find(std::string_view name) {
  auto found = std::find_if(std::begin(kProfiles), std::end(kProfiles), [&](const auto& p) { return p.name == name; });
  return found == std::end(kProfiles) ? nullptr : found;
}

// Every refused call stands in the data too, although the default action refuses it: the largest number named tells a
// runtime from where on calls are unknown to the list.
oci::LinuxSeccomp MakeOci(const SeccompProfile& profile) {
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_ERRNO";
  list.default_errno_ret = 1;  // EPERM
  list.architectures = {"SCMP_ARCH_X86_64"};
  for (std::string_view flag : profile.flags) list.flags.emplace_back(flag);
  for (const SeccompEntry& entry : profile.entries) {
    oci::SeccompSyscall rule;
    for (std::string_view call : entry.calls) rule.names.emplace_back(call);
    switch (entry.verdict) {
      case SeccompVerdict::kAllow:
        rule.action = "SCMP_ACT_ALLOW";
        break;
      case SeccompVerdict::kKill:
        rule.action = "SCMP_ACT_KILL_PROCESS";
        break;
      case SeccompVerdict::kErrno:
        rule.action = "SCMP_ACT_ERRNO";
        rule.errno_ret = entry.error;
        break;
    }
    for (const SeccompCondition& c : entry.conditions)
      rule.args.push_back({c.arg, c.mask, c.value, "SCMP_CMP_MASKED_EQ"});
    list.syscalls.push_back(std::move(rule));
  }
  return list;
}

bool Contains(const SeccompEntry& entry, std::string_view syscall) {
  return std::find(entry.calls.begin(), entry.calls.end(), syscall) != entry.calls.end();
}

}  // namespace

std::span<const SeccompProfile> SeccompProfiles() { return kProfiles; }

const oci::LinuxSeccomp* FindSeccompProfile(std::string_view name) {
  const SeccompProfile* profile = Find(name);
  if (profile == nullptr) return nullptr;
  size_t index = static_cast<size_t>(profile - std::begin(kProfiles));
  Made& made = TheMade();
  std::call_once(made.once[index], [&] { made.lists[index] = MakeOci(*profile); });
  return &made.lists[index];
}

std::string_view SeccompProfileName(const oci::LinuxSeccomp* list) {
  Made& made = TheMade();
  for (size_t i = 0; i < kCount; ++i)
    if (&made.lists[i] == list) return kProfiles[i].name;
  return {};
}

size_t SeccompRuleCount(std::string_view name) {
  const SeccompProfile* profile = Find(name);
  return profile == nullptr ? 0 : profile->entries.size();
}

std::shared_ptr<const oci::LinuxSeccomp> ShareSeccompProfile(std::string_view name) {
  return {std::shared_ptr<const oci::LinuxSeccomp>(), FindSeccompProfile(name)};
}

SyscallAnswer ExplainSyscall(std::string_view profile_name, std::string_view syscall) {
  SyscallAnswer answer{};
  const SeccompProfile* profile = Find(profile_name);
  if (profile == nullptr) {
    answer.kind = SyscallAnswer::Kind::kUnknownProfile;
    return answer;
  }
  for (const SeccompProfile& other : kProfiles) {
    bool allows = std::any_of(other.entries.begin(), other.entries.end(), [&](const SeccompEntry& entry) {
      return entry.verdict == SeccompVerdict::kAllow && Contains(entry, syscall);
    });
    if (allows) answer.allowed_by.push_back(other.name);
  }
  // Of several groups with conditions, the allowing one is what a reader wants to know.
  const SeccompEntry* found = nullptr;
  for (const SeccompEntry& entry : profile->entries) {
    if (!Contains(entry, syscall)) continue;
    if (found == nullptr || (entry.verdict == SeccompVerdict::kAllow && found->verdict != SeccompVerdict::kAllow))
      found = &entry;
  }
  if (found == nullptr) {
    answer.kind = SyscallAnswer::Kind::kUnknownSyscall;
    answer.error_name = "ENOSYS";
    return answer;
  }
  answer.list = found->list;
  answer.group = found->group;
  answer.why = found->why;
  answer.when = found->when;
  if (!found->when.empty()) {
    answer.kind = SyscallAnswer::Kind::kConditional;
    answer.error_name = "EPERM";
  } else if (found->verdict == SeccompVerdict::kAllow) {
    answer.kind = SyscallAnswer::Kind::kAllowed;
  } else if (found->verdict == SeccompVerdict::kKill) {
    answer.kind = SyscallAnswer::Kind::kKilled;
  } else {
    answer.kind = SyscallAnswer::Kind::kErrno;
    answer.error_name = found->error_name;
  }
  return answer;
}

}  // namespace mxc::translate
