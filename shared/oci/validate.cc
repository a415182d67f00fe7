#include "shared/oci/validate.h"

#include <algorithm>
#include <set>

#include "shared/oci/names.h"
#include "shared/oci/validate_linux.h"

namespace mxc::oci {
namespace {

std::string At(const std::string& list, size_t index) { return list + '/' + std::to_string(index); }

bool IsAbsolute(std::string_view path) { return path.starts_with('/'); }

// 1.MINOR.PATCH with an optional -pre or +build: majors are incompatible, minors only add (config.md).
Result<void> ValidateVersion(const std::string& version) {
  size_t at = 0;
  auto number = [&] {
    size_t start = at;
    while (at < version.size() && version[at] >= '0' && version[at] <= '9') ++at;
    return version.substr(start, at - start);
  };
  std::string major = number();
  bool shape = !major.empty();
  for (int i = 0; i < 2 && shape; ++i) {
    shape = at < version.size() && version[at++] == '.' && !number().empty();
  }
  shape = shape && (at == version.size() || version[at] == '-' || version[at] == '+');
  if (!shape) return InvalidField("/ociVersion", "\"" + version + "\" is not a version like 1.2.0");
  if (major != "1")
    return InvalidField("/ociVersion", version + " is not a 1.x version, which this runtime implements");
  return {};
}

Result<void> ValidateRoot(const Spec& spec, const Extension& extension) {
  if (!spec.root) return InvalidField("/root", "the field is required to make a container");
  if (spec.root->path.empty()) return InvalidField("/root/path", "empty");
  bool marked = spec.root->path == kEmptyRootPath;
  if (marked && !extension.empty_root) return InvalidField("/root/path", "this path needs the annotation dev.mxc.root");
  if (!marked && extension.empty_root) {
    return InvalidField("/root/path", std::string("dev.mxc.root is \"empty\", so this has to be ") + kEmptyRootPath);
  }
  return {};
}

Result<void> ValidateCapabilities(const Capabilities& capabilities, Validated& validated) {
  const std::pair<const char*, const Strings*> kSets[] = {{"bounding", &capabilities.bounding},
                                                          {"effective", &capabilities.effective},
                                                          {"inheritable", &capabilities.inheritable},
                                                          {"permitted", &capabilities.permitted},
                                                          {"ambient", &capabilities.ambient}};
  for (const auto& [name, set] : kSets) {
    for (size_t i = 0; i < set->size(); ++i) {
      const std::string& capability = (*set)[i];
      std::string pointer = At(std::string("/process/capabilities/") + name, i);
      if (!capability.starts_with("CAP_")) {
        return InvalidField(pointer, "\"" + capability + "\" is not a capability's name (CAP_…)");
      }
      // The specification asks for a warning: a newer kernel may know it, and not giving it is the safe side.
      if (!IsCapability(capability))
        validated.warnings.push_back(pointer + ": unknown capability " + capability + " is not given");
    }
  }
  return {};
}

Result<void> ValidateScheduling(const Process& process) {
  if (process.scheduler) {
    if (!IsSchedulerPolicy(process.scheduler->policy)) {
      return InvalidField("/process/scheduler/policy", "\"" + process.scheduler->policy + "\" is not known (SCHED_…)");
    }
    for (size_t i = 0; i < process.scheduler->flags.size(); ++i) {
      if (IsSchedulerFlag(process.scheduler->flags[i])) continue;
      return InvalidField(At("/process/scheduler/flags", i),
                          "\"" + process.scheduler->flags[i] + "\" is not known (SCHED_FLAG_…)");
    }
  }
  if (process.io_priority) {
    if (!IsIoPriorityClass(process.io_priority->io_class)) {
      return InvalidField("/process/ioPriority/class",
                          "\"" + process.io_priority->io_class + "\" is not known (IOPRIO_CLASS_…)");
    }
    int32_t priority = process.io_priority->priority.value_or(0);
    if (priority < 0 || priority > 7) return InvalidField("/process/ioPriority/priority", "not 0 to 7");
  }
  if (process.exec_cpu_affinity) {
    constexpr char kList[] = "0123456789, -";
    if (process.exec_cpu_affinity->initial.find_first_not_of(kList) != std::string::npos) {
      return InvalidField("/process/execCPUAffinity/initial", "not a list like 0-3,7");
    }
    if (process.exec_cpu_affinity->final.find_first_not_of(kList) != std::string::npos) {
      return InvalidField("/process/execCPUAffinity/final", "not a list like 0-3,7");
    }
  }
  return {};
}

Result<void> ValidateProcess(const Process& process, Validated& validated) {
  if (!IsAbsolute(process.cwd)) return InvalidField("/process/cwd", "\"" + process.cwd + "\" is not an absolute path");
  if (process.args.empty()) return InvalidField("/process/args", "no program is named");
  if (process.args[0].empty()) return InvalidField("/process/args/0", "the program's name is empty");
  for (size_t i = 0; i < process.env.size(); ++i) {
    size_t equals = process.env[i].find('=');
    if (equals == std::string::npos || equals == 0) return InvalidField(At("/process/env", i), "not KEY=VALUE");
  }
  if (process.user.umask.value_or(0) > 0777) return InvalidField("/process/user/umask", "more than 0777 (511)");
  if (process.user.uid == UINT32_MAX) return InvalidField("/process/user/uid", "4294967295 is no id");
  if (process.user.gid == UINT32_MAX) return InvalidField("/process/user/gid", "4294967295 is no id");
  if (process.capabilities) MXC_TRY(ValidateCapabilities(*process.capabilities, validated));
  std::set<std::string_view> seen;
  for (size_t i = 0; i < process.rlimits.size(); ++i) {
    const Rlimit& limit = process.rlimits[i];
    if (!IsRlimit(limit.type))
      return InvalidField(At("/process/rlimits", i) + "/type", "\"" + limit.type + "\" is not known");
    if (!seen.insert(limit.type).second) return InvalidField(At("/process/rlimits", i), "a second " + limit.type);
    if (limit.soft > limit.hard) return InvalidField(At("/process/rlimits", i) + "/soft", "more than hard");
  }
  int64_t oom = process.oom_score_adj.value_or(0);
  if (oom < -1000 || oom > 1000) return InvalidField("/process/oomScoreAdj", "not -1000 to 1000");
  return ValidateScheduling(process);
}

bool IsBind(const Mount& mount) {
  auto bind = [](const std::string& option) { return option == "bind" || option == "rbind"; };
  return mount.type == "bind" || std::any_of(mount.options.begin(), mount.options.end(), bind);
}

Result<void> ValidateMounts(const std::vector<Mount>& mounts) {
  for (size_t i = 0; i < mounts.size(); ++i) {
    const Mount& mount = mounts[i];
    if (!IsAbsolute(mount.destination)) {
      return InvalidField(At("/mounts", i) + "/destination", "\"" + mount.destination + "\" is not an absolute path");
    }
    if (mount.source.empty() && IsBind(mount))
      return InvalidField(At("/mounts", i) + "/source", "a bind mount of nothing");
    if (mount.uid_mappings.empty() != mount.gid_mappings.empty()) {
      return InvalidField(At("/mounts", i), "uidMappings and gidMappings have to come together");
    }
    MXC_TRY(ValidateIdMappings(mount.uid_mappings, At("/mounts", i) + "/uidMappings"));
    MXC_TRY(ValidateIdMappings(mount.gid_mappings, At("/mounts", i) + "/gidMappings"));
  }
  return {};
}

Result<void> ValidateHooks(const Hooks& hooks) {
  const std::pair<const char*, const std::vector<Hook>*> kKinds[] = {{"prestart", &hooks.prestart},
                                                                     {"createRuntime", &hooks.create_runtime},
                                                                     {"createContainer", &hooks.create_container},
                                                                     {"startContainer", &hooks.start_container},
                                                                     {"poststart", &hooks.poststart},
                                                                     {"poststop", &hooks.poststop}};
  for (const auto& [kind, list] : kKinds) {
    for (size_t i = 0; i < list->size(); ++i) {
      std::string pointer = At(std::string("/hooks/") + kind, i);
      if (!IsAbsolute((*list)[i].path)) return InvalidField(pointer + "/path", "not an absolute path");
      if ((*list)[i].timeout.value_or(1) <= 0)
        return InvalidField(pointer + "/timeout", "not a positive number of seconds");
    }
  }
  return {};
}

// What the annotations say has to fit the fields beside them.
Result<void> ValidateExtension(const Spec& spec, const Extension& extension) {
  auto annotation = [](const char* name) { return std::string("/annotations/") + kAnnotationPrefix + name; };
  std::set<std::string_view> binds;
  for (const Mount& mount : spec.mounts) {
    if (IsBind(mount)) binds.insert(mount.destination);
  }
  for (const std::string& path : extension.if_present) {
    if (!binds.contains(path)) return InvalidField(annotation("if-present"), path + " is no bind mount's destination");
  }
  for (const std::string& path : extension.caller_owned) {
    if (!binds.contains(path))
      return InvalidField(annotation("caller-owned"), path + " is no bind mount's destination");
  }
  if (!extension.files.empty() && !extension.empty_root) {
    return InvalidField(annotation("files"), "files are made in an empty root only (dev.mxc.root)");
  }
  if (extension.landlock && extension.landlock->required && !extension.landlock->enabled) {
    return InvalidField(annotation("landlock"), "required, but not enabled");
  }
  if (extension.identity != Identity::kSpec && !spec.linux.uid_mappings.empty()) {
    return InvalidField(annotation("identity"), "/linux/uidMappings says something else");
  }
  return {};
}

}  // namespace

Result<Validated> Validate(const Spec& spec, const Extension& extension) {
  Validated validated;
  MXC_TRY(ValidateVersion(spec.oci_version));
  MXC_TRY(ValidateRoot(spec, extension));
  if (spec.process) MXC_TRY(ValidateProcess(*spec.process, validated));
  MXC_TRY(ValidateMounts(spec.mounts));
  MXC_TRY(ValidateHooks(spec.hooks));
  if (spec.annotations.contains("")) return InvalidField("/annotations", "an annotation without a name");
  MXC_TRY(ValidateLinux(spec));
  if (!spec.hostname.empty() && !HasNamespace(spec, "uts")) {
    return InvalidField("/hostname", "without a uts namespace in /linux/namespaces this would change the host's");
  }
  if (!spec.domainname.empty() && !HasNamespace(spec, "uts")) {
    return InvalidField("/domainname", "without a uts namespace in /linux/namespaces this would change the host's");
  }
  if (spec.hostname.size() > 64) return InvalidField("/hostname", "longer than the kernel's 64 bytes");
  if (spec.domainname.size() > 64) return InvalidField("/domainname", "longer than the kernel's 64 bytes");
  MXC_TRY(ValidateExtension(spec, extension));
  return validated;
}

}  // namespace mxc::oci
