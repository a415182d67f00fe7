#include "linux_runtime/run/run.h"

#include <stdlib.h>

#include <algorithm>

#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/cgroup/limits.h"
#include "linux_runtime/cgroup/sweep.h"
#include "linux_runtime/run/id_range.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/supervise/supervise.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::run {
namespace {

constexpr char kGroupPrefix[] = "mxc-";

// "mxc-PID-…": whose supervisor is gone is nobody's.
bool SupervisorLives(const std::string& group) {
  int pid = ::atoi(group.c_str() + sizeof kGroupPrefix - 1);
  return pid > 0 && (::kill(pid, 0) == 0 || errno != ESRCH);
}

std::string GroupName() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return kGroupPrefix + std::to_string(::getpid()) + "-" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000);
}

bool Any(const cgroup::Limits& limits) { return !(limits == cgroup::Limits{}); }

// One run's resources in the order in which they are taken; destroyed in the reverse one.
struct Held {
  StateFolder state;
  IdRange ids;
  std::optional<cgroup::Hierarchy> hierarchy;
  std::optional<cgroup::Group> group;
};

Result<void> MakeGroup(const oci::Spec& spec, Held& held) {
  if (!spec.linux.resources) return {};
  cgroup::Limits limits = MXC_TRY(cgroup::LimitsFrom(*spec.linux.resources));
  if (!Any(limits)) return {};
  held.hierarchy = cgroup::Hierarchy::Probe();
  held.group = MXC_TRY_AS("limit the sandbox's resources", cgroup::Create(*held.hierarchy, GroupName(), limits));
  return {};
}

sandbox::PlanContext Context(const RunOptions& options) {
  sandbox::PlanContext context;
  context.privileged = sandbox::IsPrivileged();
  context.uid = ::geteuid();
  context.gid = ::getegid();
  context.landlock_abi = sys::LandlockAbi();
  context.seccomp_cache = options.cache_directory;
  return context;
}

Result<sandbox::CoverKeeper> StartKeeper(const sandbox::Plan& plan, const sandbox::Launched& launched,
                                         const oci::Extension& extension, bool privileged, Held& held) {
  sandbox::KeeperOptions options;
  options.pid = launched.pid;
  options.pidfd = launched.pidfd.get();
  if (privileged) options.cover_owner = CoverOwner(plan);
  options.kill_on_exposed = extension.on_exposed == oci::OnExposed::kKill;
  options.state_folder = held.state.fd.get();
  for (const sandbox::GuardedPath& guarded : plan.guarded) {
    options.names.push_back({guarded.path, guarded.host_parent, guarded.rule, guarded.protect, guarded.exists});
  }
  return sandbox::CoverKeeper::Start(std::move(options));
}

// The container's root stands: watch what must stay denied, then let it go on.
Result<std::optional<sandbox::CoverKeeper>> MeetContainer(const sandbox::Plan& plan, sandbox::Launched& launched,
                                                          const oci::Extension& extension, bool privileged, Held& held) {
  std::optional<sandbox::CoverKeeper> keeper;
  if (!plan.guarded.empty()) {
    if (!launched.AwaitRoot()) return keeper;
    keeper.emplace(MXC_TRY_AS("watch denied and protected names", StartKeeper(plan, launched, extension, privileged, held)));
    MXC_TRY(launched.Continue());
  }
  return keeper;
}

}  // namespace

Result<sandbox::Plan> PlanSandbox(const oci::Spec& spec, const RunOptions& options) {
  oci::Extension extension = MXC_TRY(oci::ReadExtension(spec.annotations));
  sandbox::PlanContext context = Context(options);
  context.id_base = kFirstHostId;
  sandbox::Plan plan = MXC_TRY(sandbox::BuildPlan(spec, extension, context));
  return plan;
}

Result<RunResult> RunSandbox(const oci::Spec& spec, const RunOptions& options) {
  oci::Extension extension = MXC_TRY(oci::ReadExtension(spec.annotations));
  Held held;
  sandbox::PlanContext context = Context(options);
  held.state = MXC_TRY(OpenStateFolder(context.privileged, options.runtime_directory));
  if (context.privileged && extension.identity == oci::Identity::kCaller) {
    held.ids = MXC_TRY(TakeIdRange(held.state.path));
    context.id_base = held.ids.base;
  }
  MXC_TRY(MakeGroup(spec, held));
  if (held.group) {
    context.cgroup_tasks = held.group->JoinFds();
    context.cgroup_directory = held.group->CloneFd();
  }
  sandbox::Plan plan = MXC_TRY(sandbox::BuildPlan(spec, extension, context));
  plan.terminal = plan.terminal || options.terminal;

  sandbox::Launched launched = MXC_TRY(sandbox::Launch(plan, options.argv));
  if (held.group) held.group->CloseJoinFds();
  auto end = [&] {
    sys::PidfdSendSignal(launched.pidfd.get(), SIGKILL);
    if (held.group) (void)held.group->Kill();
  };
  Result<std::optional<sandbox::CoverKeeper>> met = MeetContainer(plan, launched, extension, context.privileged, held);
  if (!met.ok()) {
    end();
    ::waitpid(launched.pid, nullptr, 0);
    return std::move(met).error();
  }
  std::optional<sandbox::CoverKeeper> keeper = std::move(met).value();
  if (plan.terminal) launched.ReceiveConsole();
  plan.CloseDescriptors();

  RunResult result;
  supervise::Loop loop;
  supervise::SuperviseOptions supervise;
  supervise.timeout_ms = extension.timeout_ms;
  supervise.reaper = plan.reaper;
  supervise.kill_all = end;
  supervise.on_started = [&](int) {
    if (held.hierarchy) cgroup::Sweep(*held.hierarchy, kGroupPrefix, SupervisorLives);
  };
  {
    supervise::Supervisor supervisor(launched.running(), std::move(supervise), loop);
    if (keeper) {
      loop.Watch(keeper->descriptor(), POLLIN, [&](short) {
        if (!keeper->OnReady()) {
          loop.Forget(keeper->descriptor());
          supervisor.Kill("a denied path could not be kept covered");
        }
      });
    }
    result.outcome = supervisor.Wait();
  }
  if (keeper) result.events = keeper->Finish();
  if (result.outcome.how == supervise::How::kFailedToStart) {
    result.failure = sandbox::StepError(plan, result.outcome.step, result.outcome.error);
  }
  if (held.group) {
    result.has_cgroup = true;
    if (Result<cgroup::Usage> usage = held.group->ReadUsage(); usage.ok()) result.usage = *usage;
    (void)held.group->Kill();
    (void)held.group->Destroy();
  }
  bool moved = std::any_of(result.events.begin(), result.events.end(),
                           [](const auto& event) { return event.how == sandbox::KeeperHow::kMoved; });
  if (moved) result.moved_to = held.state.path;
  result.notes = plan.notes;
  return result;
}

}  // namespace mxc::run
