#include "linux_runtime/run/applied.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

namespace mxc::run {
namespace {

using report::Applied;
using report::Strength;

class Table {
 public:
  void Enforced(std::string field, std::vector<std::string> layers) {
    rows_.push_back({std::move(field), Strength::kEnforced, std::move(layers), ""});
  }
  void Weaker(std::string field, std::vector<std::string> layers, std::string note) {
    rows_.push_back({std::move(field), Strength::kWeaker, std::move(layers), std::move(note)});
  }
  void Nothing(std::string field, std::string note) {
    rows_.push_back({std::move(field), Strength::kNotApplicable, {}, std::move(note)});
  }
  std::vector<Applied> Take() { return std::move(rows_); }

 private:
  std::vector<Applied> rows_;
};

bool HasRlimit(const sandbox::Plan& plan, int resource) {
  return std::any_of(plan.rlimits.begin(), plan.rlimits.end(),
                     [&](const sandbox::Rlimit& limit) { return limit.resource == resource; });
}

void Limits(Table& table, const oci::Spec& spec, const sandbox::Plan& plan, const std::string& cgroup) {
  const oci::Resources* resources = spec.linux.resources ? &*spec.linux.resources : nullptr;
  struct {
    const char* field;
    bool in_group;
    int fallback;
    const char* note;
  } const kLimits[] = {
      {"/x-linux/resources/memory", resources != nullptr && resources->memory.limit.has_value(), RLIMIT_DATA,
       "counted for each process, not for the sandbox"},
      {"/x-linux/resources/pids", resources != nullptr && resources->pids.limit.has_value(), RLIMIT_NPROC,
       "counted for the user in this user namespace"},
      {"/x-linux/resources/cpus", resources != nullptr && resources->cpu.quota.has_value(), -1, ""},
  };
  for (const auto& limit : kLimits) {
    if (limit.in_group && !cgroup.empty()) {
      table.Enforced(limit.field, {cgroup});
    } else if (limit.fallback >= 0 && HasRlimit(plan, limit.fallback)) {
      table.Weaker(limit.field, {"rlimit"}, limit.note);
    } else {
      table.Nothing(limit.field, "no limit");
    }
  }
  for (auto [field, path] :
       {std::pair("/x-linux/resources/tmp", "/tmp"), std::pair("/x-linux/resources/shm", "/dev/shm")}) {
    bool own =
        std::any_of(plan.steps.begin(), plan.steps.end(), [wanted = std::string(path)](const sandbox::Step& step) {
          return step.op == sandbox::Op::kTmpfs && step.path == wanted;
        });
    if (own) {
      table.Enforced(field, {"tmpfs"});
    } else {
      table.Nothing(field, std::string(path) + " is granted from the host");
    }
  }
  for (auto [field, resource] :
       {std::pair("/x-linux/resources/openFiles", RLIMIT_NOFILE),
        std::pair("/x-linux/resources/fileSize", RLIMIT_FSIZE), std::pair("/x-linux/resources/memlock", RLIMIT_MEMLOCK),
        std::pair("/x-linux/resources/stack", RLIMIT_STACK), std::pair("/x-linux/resources/core", RLIMIT_CORE)}) {
    if (HasRlimit(plan, resource)) {
      table.Enforced(field, {"rlimit"});
    } else {
      table.Nothing(field, "no limit");
    }
  }
}

}  // namespace

std::vector<Applied> AppliedFields(const oci::Spec& spec, const oci::Extension& extension, const sandbox::Plan& plan,
                                   const std::string& cgroup) {
  Table table;
  const bool landlock_files = plan.use_landlock && plan.landlock.handled_files != 0;
  std::vector<std::string> files{"mount"};
  if (landlock_files) files.emplace_back("landlock");
  table.Enforced("/filesystem/readonlyPaths", files);
  table.Enforced("/filesystem/readwritePaths", files);
  table.Enforced("/filesystem/deniedPaths", {"mount"});
  if (extension.nesting) {
    table.Weaker("/x-linux/protect", {"mount"}, "x-linux.nesting: a program that makes mounts can get around it");
  } else {
    table.Enforced("/x-linux/protect", {"mount"});
  }
  table.Enforced("/process/env", {"exec"});
  if (extension.timeout_ms != 0) {
    table.Enforced("/process/timeout", {"supervisor"});
  } else {
    table.Nothing("/process/timeout", "no time limit");
  }
  if ((plan.namespaces & CLONE_NEWNET) != 0) {
    const bool rules = !extension.network.empty(), names = !extension.names.empty();
    for (const char* field : {"/network/egress/default", "/network/ingress/default", "/network/ingress/hostLoopback"}) {
      table.Enforced(
          field, rules || names ? std::vector<std::string>{"netns", "nftables"} : std::vector<std::string>{"netns"});
    }
    if (rules) {
      for (const char* field : {"/network/egress/allow", "/network/egress/deny"}) table.Enforced(field, {"nftables"});
    }
    if (names) table.Enforced("/x-linux/domains", {"nftables", "gateway"});
    if (!extension.ports.empty()) table.Enforced("/x-linux/ports", {"netns", "gateway"});
  }
  table.Enforced("/ui", {"mount", "exec"});
  if (plan.seccomp.empty()) {
    table.Nothing("/x-linux/seccomp", "the spec has no list");
  } else {
    table.Enforced("/x-linux/seccomp", {"seccomp"});
  }
  if (plan.use_landlock && landlock_files) {
    table.Enforced("/x-linux/landlock", {"landlock"});
  } else if (plan.use_landlock) {
    table.Weaker("/x-linux/landlock", {"landlock"}, "no rules for files: x-linux.nesting needs mounts inside");
  } else {
    table.Weaker("/x-linux/landlock", {}, "this kernel has no Landlock: the mounts alone hold");
  }
  if ((plan.namespaces & CLONE_NEWUSER) != 0) {
    table.Enforced("/x-linux/identity", {"userns"});
  } else {
    table.Weaker("/x-linux/identity", {}, "host ids are used inside");
  }
  table.Enforced("/x-linux/hostname", {"utsns"});
  Limits(table, spec, plan, cgroup);
  return table.Take();
}

std::vector<report::PathLine> AppliedPaths(const oci::Extension& extension, const sandbox::Plan& plan) {
  const bool landlock_files = plan.use_landlock && plan.landlock.handled_files != 0;
  std::vector<report::PathLine> lines;
  for (const sandbox::ShownPath& shown : plan.shown) {
    report::PathLine line;
    line.path = shown.path;
    line.access = shown.access;
    line.layers = {"mount"};
    if (landlock_files && shown.landlock) line.layers.emplace_back("landlock");
    for (const auto* rules : {&extension.denied, &extension.protect}) {
      for (const oci::DeniedPath& rule : *rules) {
        if (rule.path == shown.path) line.origin = rule.rule;
      }
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace mxc::run
