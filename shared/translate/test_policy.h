// Resolved policies for tests of translating, made by hand so that these tests rest on nothing but the types.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "shared/oci/spec.h"
#include "shared/policy/effective.h"
#include "shared/translate/host_facts.h"

namespace mxc::translate {

inline policy::PathRule Rule(std::string path, policy::Access access, std::string pointer = "/filesystem/x") {
  policy::PathRule rule;
  rule.path = std::move(path);
  rule.access = access;
  rule.origin = {policy::Layer::kPolicy, "p.json", std::move(pointer), 3};
  return rule;
}

inline policy::PathRule Baseline(std::string path, bool if_present = true) {
  policy::PathRule rule = Rule(std::move(path), policy::Access::kReadOnly, "/filesystem/baseline");
  rule.baseline = true;
  rule.if_present = if_present;
  rule.origin.layer = policy::Layer::kProfile;
  rule.origin.name = "default";
  return rule;
}

inline policy::PathRule Protect(std::string path) {
  policy::PathRule rule = Rule(std::move(path), policy::Access::kReadOnly, "/filesystem/protect/0");
  rule.protect = true;
  rule.origin.layer = policy::Layer::kProfile;
  rule.origin.name = "default";
  return rule;
}

inline void AddRules(policy::EffectivePolicy& policy, std::vector<policy::PathRule> rules) {
  for (policy::PathRule& rule : rules) policy.paths.push_back(std::move(rule));
  std::sort(policy.paths.begin(), policy.paths.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
}

// About what the default profile gives.
inline policy::EffectivePolicy BasePolicy() {
  policy::EffectivePolicy policy;
  policy.run_name = "run-1";
  policy.argv.value = {"sh", "-c", "true"};
  policy.env = {{"PATH=/usr/bin:/bin", {}}, {"LANG=C.UTF-8", {}}};
  AddRules(policy, {Baseline("/usr", false), Baseline("/bin"), Baseline("/sbin"), Baseline("/lib"), Baseline("/lib64"),
                    Baseline("/etc/ld.so.cache"), Baseline("/etc/alternatives"), Baseline("/etc/ssl/certs"),
                    Baseline("/etc/nsswitch.conf"), Baseline("/etc/localtime")});
  policy::Resources& limits = policy.resources.value;
  limits.memory_bytes = uint64_t{4} << 30;
  limits.swap_bytes = 0;
  limits.pids = 1024;
  limits.tmp_bytes = 1 << 30;
  limits.shm_bytes = 256 << 20;
  limits.tmpfs_inodes = 262144;
  limits.open_files = 65536;
  limits.memlock_bytes = 64 << 20;
  limits.stack_bytes = 8 << 20;
  limits.core_bytes = 0;
  policy.seccomp_profile.value = "default";
  policy.hostname.value = "sandbox";
  policy.profile = "default";
  policy.digest = "sha256:0000";
  return policy;
}

// Grants, denials inside them, grants inside those, and protection.
inline policy::EffectivePolicy MixedPolicy() {
  using policy::Access;
  policy::EffectivePolicy policy = BasePolicy();
  policy.cwd.value = "/home/user/work";
  AddRules(policy, {Rule("/home/user/work", Access::kReadWrite, "/filesystem/readwritePaths/0"),
                    Rule("/home/user/work/secret", Access::kDeny, "/filesystem/deniedPaths/0"),
                    Rule("/home/user/work/secret/open", Access::kReadOnly, "/filesystem/readonlyPaths/1"),
                    Rule("/home/user/work-b", Access::kReadOnly, "/filesystem/readonlyPaths/2"),
                    Rule("/data", Access::kReadOnly, "/filesystem/readonlyPaths/0"),
                    Rule("/data/out", Access::kReadWrite, "/filesystem/readwritePaths/1"),
                    Rule("/nowhere/secret", Access::kDeny, "/filesystem/deniedPaths/1"),
                    Protect("/home/user/work/.git/hooks"), Protect("/data/.envrc"), Protect("/other/.envrc")});
  policy.timeout_ms.value = 60'000;
  return policy;
}

inline const oci::LinuxSeccomp* FindTestSeccomp(std::string_view name) {
  static const oci::LinuxSeccomp kDefault = [] {
    oci::LinuxSeccomp list;
    list.default_action = "SCMP_ACT_ERRNO";
    list.default_errno_ret = 38;
    list.architectures = {"SCMP_ARCH_X86_64"};
    list.syscalls = {{{"read", "write", "exit_group"}, "SCMP_ACT_ALLOW", {}, {}}};
    return list;
  }();
  static const oci::LinuxSeccomp kOther = [] {
    oci::LinuxSeccomp list = kDefault;
    list.syscalls[0].names.push_back("mount");
    return list;
  }();
  if (name == "default") return &kDefault;
  if (name == "nesting" || name == "ml") return &kOther;
  return nullptr;
}

}  // namespace mxc::translate
