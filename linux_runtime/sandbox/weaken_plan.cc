// Only for the escape tests; see weaken.h.
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "linux_runtime/sandbox/plan.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

template <typename Condition>
void Remove(Plan& plan, Condition condition) {
  std::erase_if(plan.steps, condition);
}

void RemoveOp(Plan& plan, Op op) {
  Remove(plan, [op](const Step& step) { return step.op == op; });
}

// What keeps denied and protected names up goes with them: it would put them back.
void DropKeeper(Plan& plan) {
  plan.guarded.clear();
  RemoveOp(plan, Op::kMeetParent);
  for (Step& step : plan.steps) {
    if (step.op == Op::kEnterRoot) step.flags = 0;  // nobody listens
  }
}

void WeakenMounts(Plan& plan) {
  if (Without("masks")) RemoveOp(plan, Op::kMask);
  if (Without("proc-readonly"))
    Remove(plan, [](const Step& step) { return step.op == Op::kReadonly && step.optional; });
  if (Without("protected")) {
    DropKeeper(plan);
    Remove(plan, [](const Step& step) { return step.op == Op::kReadonly && !step.optional; });
  }
  if (Without("covers")) {
    DropKeeper(plan);
    RemoveOp(plan, Op::kCover);
    RemoveOp(plan, Op::kMakeCovers);
  }
  if (Without("pins")) RemoveOp(plan, Op::kPin);
  if (Without("keeper")) DropKeeper(plan);
  if (Without("tmpfs-limits")) {
    for (Step& step : plan.steps) {
      if (step.op == Op::kTmpfs) step.options = plan.InternOptions({"mode", "1777"});
    }
  }
}

void WeakenIds(Plan& plan) {
  if (Without("ids")) {
    for (std::vector<IdRange>* map : {&plan.uid_map, &plan.gid_map}) {
      for (IdRange& range : *map) range.outside = 0;
    }
  }
  if (Without("userns")) {
    plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWUSER);
    plan.parent_writes_maps = false;
    plan.prepared.clear();
    RemoveOp(plan, Op::kAwaitParent);
    RemoveOp(plan, Op::kMapSelf);
  }
}

void WeakenNamespaces(Plan& plan) {
  if (Without("net")) {
    plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWNET);
    RemoveOp(plan, Op::kLoopbackUp);
  }
  if (Without("ipc")) {
    plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWIPC);
    RemoveOp(plan, Op::kMqueue);
  }
  if (Without("cgroupns")) {
    plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWCGROUP);
    RemoveOp(plan, Op::kUnshareCgroup);
  }
  if (Without("pid")) {
    plan.namespaces &= ~static_cast<uint64_t>(CLONE_NEWPID);
    for (Step& step : plan.steps) {
      if (step.op != Op::kProc) continue;
      // A proc of the host's pid namespace can't be made anew without privilege there.
      step.op = Op::kBind;
      step.directory = step.recursive = true;
      step.fd = plan.Own(sys::UniqueFd(sys::OpenTree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | AT_RECURSIVE)));
    }
    RemoveOp(plan, Op::kMask);
    Remove(plan, [](const Step& step) { return step.op == Op::kReadonly && step.optional; });
  }
  if (Without("cgroup")) {
    plan.cgroup_fd = -1;
    RemoveOp(plan, Op::kJoinCgroup);
  }
}

// Without a user namespace nothing can be kept that the caller doesn't have.
uint64_t OwnCapabilities() {
  struct {
    uint32_t version;
    int pid;
  } header{0x20080522, 0};
  uint32_t data[6] = {};  // effective, permitted, inheritable: low halves, then high halves
  if (sys::CapGet(&header, data) < 0) return 0;
  return data[1] | uint64_t{data[4]} << 32;
}

void WeakenProcess(Plan& plan) {
  if (Without("capabilities")) {
    uint64_t all = (uint64_t{1} << 41) - 1;  // up to CAP_CHECKPOINT_RESTORE
    if ((plan.namespaces & CLONE_NEWUSER) == 0) all &= OwnCapabilities();
    plan.bounding = plan.permitted = plan.effective = plan.inheritable = plan.ambient = all;
  }
  if (Without("no-new-privs")) plan.no_new_privileges = false;
  if (Without("rlimits")) plan.rlimits.clear();
  if (Without("landlock")) plan.use_landlock = false;
  if (Without("env")) {
    plan.env.clear();
    for (char** entry = ::environ; *entry != nullptr; ++entry) plan.env.push_back(plan.Intern(*entry));
    plan.env.push_back(nullptr);
  }
  std::erase_if(plan.seccomp,
                [](const SeccompProgram& program) { return Without(program.origin == "guard" ? "guard" : "seccomp"); });
}

}  // namespace

void WeakenPlan(Plan& plan) {
  WeakenMounts(plan);
  WeakenIds(plan);
  WeakenNamespaces(plan);
  WeakenProcess(plan);
}

}  // namespace mxc::sandbox
