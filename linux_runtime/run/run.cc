#include "linux_runtime/run/run.h"

#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "linux_runtime/cgroup/group.h"
#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/cgroup/limits.h"
#include "linux_runtime/cgroup/sweep.h"
#include "linux_runtime/relay/windows_mounts.h"
#include "linux_runtime/run/applied.h"
#include "linux_runtime/run/id_range.h"
#include "linux_runtime/run/run_name.h"
#include "linux_runtime/run/run_network.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/cover_keeper.h"
#include "linux_runtime/sandbox/keeper_plan.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/supervise/supervise.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::run {
namespace {

// One run's resources in the order in which they are taken; destroyed in the reverse one.
struct Held {
  StateFolder state;
  IdRange ids;
  cgroup::Limits limits;
  std::optional<cgroup::Hierarchy> hierarchy;
  std::optional<cgroup::Group> group;
  std::optional<MovedFolder> moved;
  RunNetwork network;
};

// What outlives the run at no cost: see RunResult::kept.
struct Kept {
  sandbox::Plan plan;
  std::optional<sandbox::CoverKeeper> keeper;  // finished; its guard waits for the end of this process, or of this
};

Result<void> MakeGroup(const oci::Spec& spec, const RunOptions& options, Held& held) {
  if (!spec.linux.resources) return {};
  held.limits = MXC_TRY(cgroup::LimitsFrom(*spec.linux.resources));
  if (held.limits == cgroup::Limits{}) return {};
  held.hierarchy = options.cgroups != nullptr ? *options.cgroups : cgroup::Hierarchy::Probe();
  held.group = MXC_TRY_AS("limit the sandbox's resources", cgroup::Create(*held.hierarchy, NewRunName(), held.limits));
  return {};
}

sandbox::PlanContext Context(const RunOptions& options) {
  sandbox::PlanContext context;
  context.privileged = sandbox::IsPrivileged();
  context.uid = ::geteuid();
  context.gid = ::getegid();
  context.own_session = options.own_session;
  context.open_windows = [](const std::string& windows) -> Result<sys::UniqueFd> {
    const policy::WindowsPlace place = MXC_TRY(policy::ParseWindowsPath(windows, {}));
    const auto* drive = std::get_if<policy::DrivePath>(&place);
    if (drive == nullptr) return Error(Code::kInvalid, windows + " lies on no drive of Windows");
    relay::OpenedPath opened = MXC_TRY(relay::OpenDrivePath(*drive));
    return std::move(opened.fd);
  };
  context.landlock_abi = sys::LandlockAbi();
  context.seccomp_cache = options.cache_directory;
  return context;
}

// Starts the guard, which gets ready while the container builds its root; once that stands, watches what must stay denied
// and lets the container go on.
Result<std::optional<sandbox::CoverKeeper>> MeetContainer(sandbox::Launched& launched,
                                                          std::optional<sandbox::KeeperOptions> options) {
  if (!options) return std::optional<sandbox::CoverKeeper>();
  constexpr char kWhat[] = "watch denied and protected names";
  options->pid = launched.pid;
  options->pidfd = launched.pidfd.get();
  sandbox::CoverKeeper keeper = MXC_TRY_AS(kWhat, sandbox::CoverKeeper::Start(*std::move(options)));
  if (!launched.AwaitRoot()) return std::optional<sandbox::CoverKeeper>();
  MXC_TRY_AS(kWhat, keeper.Join());
  MXC_TRY(launched.Continue());
  return std::optional(std::move(keeper));
}

int64_t UnixMicroseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

// Into which a process writes "0" to be one of the sandbox's group. procs: keeps the one of v2 open.
Result<std::vector<int>> GroupFiles(const Held& held, sys::UniqueFd& procs) {
  if (!held.group) return std::vector<int>();
  if (!held.group->v2()) return held.group->JoinFds();
  procs = MXC_TRY(held.group->OpenProcs());
  return std::vector<int>{procs.get()};
}

std::string CgroupLayer(const Held& held) {
  if (!held.group) return "";
  return held.hierarchy->version() == cgroup::Version::kV2 ? "cgroup v2" : "cgroup v1";
}

void Describe(report::ExitReport& report, const oci::Spec& spec, const oci::Extension& extension,
              const sandbox::Plan& plan, const Held& held) {
  report.run = extension.run_name;
  report.policy_digest = extension.policy_digest;
  report.profile = extension.profile;
  if (spec.process && !spec.process->args.empty()) report.program = spec.process->args[0];
  report.applied = AppliedFields(spec, extension, plan, CgroupLayer(held));
  report.paths = AppliedPaths(extension, plan);
  report.warnings = plan.notes;
}

void DescribeEvents(const std::vector<sandbox::KeeperEvent>& events, const std::string& moved_to,
                    report::ExitReport& report) {
  using sandbox::KeeperHow;
  for (const sandbox::KeeperEvent& event : events) {
    switch (event.how) {
      case KeeperHow::kCovered:
        report.exposures.push_back({event.path, event.longest_window_us, "covered"});
        if (event.refused_opens != 0) {
          report.denials.push_back({"fanotify", "open " + event.path, event.rule, event.refused_opens});
        }
        break;
      case KeeperHow::kKilled:
        report.exposures.push_back({event.path, event.longest_window_us, "killed"});
        break;
      case KeeperHow::kMoved:
        report.moved.push_back({event.path, moved_to + "/" + event.detail});
        break;
      case KeeperHow::kLeft:
        report.warnings.push_back(event.path + " was made inside and could not be moved away: " + event.detail);
        break;
      case KeeperHow::kGuardDied:
        report.warnings.push_back("the process that keeps denied paths covered ended early; the container was killed");
        break;
    }
  }
}

// What the group counted, if somebody wants to know, and its end. Everything in it is dead by now, or dies here.
void EndGroup(Held& held, bool count, report::ExitReport& report) {
  if (!held.group) return;
  if (!count) {
    // Nothing to read.
  } else if (Result<cgroup::Usage> usage = held.group->ReadUsage(); usage.ok()) {
    report.peak_memory_bytes = usage->memory_peak_bytes;
    report.out_of_memory = usage->oom_kills.value_or(0) != 0;
    report.limits.push_back(
        {"memory", held.limits.memory_bytes, usage->memory_peak_bytes, usage->oom_kills.value_or(0)});
    report.limits.push_back({"pids", held.limits.pids, usage->pids_peak, usage->pids_refused.value_or(0)});
  }
  // With a pid namespace nothing is left in it, and a group that holds processes can't be removed.
  if (held.group->RemoveEmpty()) return;
  if (Result<void> killed = held.group->Kill(); !killed.ok()) report.warnings.push_back(killed.error().Describe());
  if (Result<void> removed = held.group->Destroy(); !removed.ok())
    report.warnings.push_back(removed.error().Describe());
}

}  // namespace

Result<sandbox::Plan> PlanSandbox(const oci::Spec& spec, const oci::Extension& extension, const RunOptions& options) {
  sandbox::PlanContext context = Context(options);
  context.id_base = kFirstHostId;
  sandbox::Plan plan = MXC_TRY(sandbox::BuildPlan(spec, extension, context));
  return plan;
}

Result<RunResult> RunSandbox(const oci::Spec& spec, const oci::Extension& extension, const RunOptions& options) {
  Held held;
  sandbox::PlanContext context = Context(options);
  held.state = MXC_TRY(OpenStateFolder(context.privileged, options.runtime_directory));
  if (context.privileged && extension.identity == oci::Identity::kCaller) {
    held.ids = MXC_TRY(TakeIdRange(held.state.path));
    context.id_base = held.ids.base;
  }
  MXC_TRY(MakeGroup(spec, options, held));
  if (held.group) {
    context.cgroup_tasks = held.group->JoinFds();
    context.cgroup_directory = held.group->CloneFd();
  }
  auto kept = std::make_shared<Kept>();
  kept->plan = MXC_TRY(sandbox::BuildPlan(spec, extension, context));
  sandbox::Plan& plan = kept->plan;
  plan.init_name = options.init_name;
  plan.serves = static_cast<bool>(options.serve);
  if (plan.serves && !plan.reaper)
    return Error(Code::kUnsupported, "a session needs dev.mxc.init: its first process is mxc's");
  if (!plan.terminal) plan.terminal_streams = options.terminal_streams;
  plan.terminal = plan.terminal_streams != 0;

  std::optional<sandbox::KeeperOptions> watched = sandbox::PlanKeeper(plan, extension, context.privileged);
  if (watched) {
    if (context.privileged && extension.identity == oci::Identity::kCaller) watched->account = held.ids.base;
    watched->state_folder = [&held]() -> Result<int> {
      if (!held.moved) held.moved.emplace(MXC_TRY(MovedFolder::Make(held.state, NewRunName())));
      return held.moved->fd();
    };
  }

  held.network = MXC_TRY(RunNetwork::Prepare(extension, context.privileged, held.state.path));
  sys::UniqueFd procs;
  const std::vector<int> group_files = MXC_TRY(GroupFiles(held, procs));
  sandbox::Launched launched = MXC_TRY(sandbox::Launch(plan, options.argv, held.network.Attach(group_files)));
  if (held.group) held.group->CloseJoinFds();
  auto end = [&] {
    sys::PidfdSendSignal(launched.pidfd.get(), SIGKILL);
    if (held.group) {
      held.network.Collect();  // what the gateway, which is in the group, has to say
      (void)held.group->Kill();
    }
  };
  RunResult result;
  result.kept = kept;
  Result<std::optional<sandbox::CoverKeeper>> met = MeetContainer(launched, std::move(watched));
  if (!met.ok()) {
    end();
    ::waitpid(launched.pid, nullptr, 0);
    return std::move(met).error();
  }
  std::optional<sandbox::CoverKeeper>& keeper = kept->keeper;
  if (met->has_value()) keeper.emplace(**std::move(met));
  if (plan.terminal) launched.ReceiveConsole();
  result.report.start_unix_us = UnixMicroseconds();
  // Nothing of the start depends on this, and before the program runs, it would take the processor from it.
  bool settled = false;
  auto settle = [&] {
    if (std::exchange(settled, true)) return;
    plan.CloseDescriptors();
    if (options.describe) Describe(result.report, spec, extension, plan, held);
    if (held.hierarchy) cgroup::Sweep(*held.hierarchy, kRunPrefix, RunLives);
    SweepMovedFolders(held.state, RunLives);
    if (context.privileged) SweepRunNetworks(held.state.path);
  };

  supervise::Outcome outcome;
  supervise::Loop loop;
  supervise::SuperviseOptions supervise;
  supervise.timeout_ms = extension.timeout_ms;
  supervise.reaper = plan.reaper;
  supervise.ends_by_signal = options.ends_by_signal;
  supervise.on_program = options.on_program;
  supervise.send = options.send;
  if ((plan.terminal_streams & 1) == 0) supervise.input = -1;
  if ((plan.terminal_streams & 2) == 0) supervise.output = STDERR_FILENO;
  supervise.kill_all = end;
  supervise.on_started = [&](int) {
    if (options.on_started) options.on_started();
    settle();
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
    held.network.Watch(loop);
    if (options.attend) options.attend(supervisor, loop);
    if (options.serve) options.serve({supervisor, loop, launched.parent.get()});
    outcome = supervisor.Wait();
    if (options.on_ended) options.on_ended();
  }
  result.report.end_unix_us = UnixMicroseconds();
  if (keeper) keeper->Dismiss();
  settle();
  // Before the group, in which the network's processes are.
  if (options.describe) held.network.Describe(result.report);
  held.network.Remove(!outcome.left_running);
  EndGroup(held, options.describe, result.report);
  outcome.Fill(result.report);
  if (keeper) DescribeEvents(keeper->Finish(), held.moved ? held.moved->path() : "", result.report);
  if (outcome.how == supervise::How::kFailedToStart) {
    result.failure = sandbox::StepError(plan, outcome.step, outcome.error);
    result.report.error =
        report::ReportError{result.failure->Describe(), result.failure->hint(), "", "", sys::ErrnoName(outcome.error)};
  } else if (outcome.trouble) {
    result.failure = outcome.trouble;
  } else if (outcome.how == supervise::How::kKilled && !outcome.killed_because.empty()) {
    result.failure = Error(Code::kRefused, "the program was killed: " + outcome.killed_because);
  }
  return result;
}

}  // namespace mxc::run
