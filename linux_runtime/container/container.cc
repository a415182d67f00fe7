#include "linux_runtime/container/container.h"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <charconv>

#include "linux_runtime/container/hooks.h"
#include "linux_runtime/container/keeper.h"
#include "linux_runtime/container/started.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/intel_rdt.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/oci/json.h"

namespace mxc::container {
namespace {

constexpr char kConfigFile[] = "config.json";
constexpr int kKillPatienceMs = 10'000;

// The container's first process reads at the fifo until it executes its program; with nobody there, opening fails.
bool SomebodyWaits(const Entry& entry) {
  sys::UniqueFd fifo(sys::OpenAt(entry.folder(), kStartFifo, O_WRONLY | O_NONBLOCK | O_NOFOLLOW));
  return fifo.valid();
}

Error NotRunning(const std::string& id, Status status) {
  return Error(Code::kRefused, "container not running: " + id + " is " + std::string(StatusName(status)));
}

// The container's own groups of the resctrl file system, once nobody is left in them.
std::vector<std::string> LeaveIntelRdt(const oci::Spec& spec, const std::string& id) {
  if (!spec.linux.intel_rdt) return {};
  Result<sandbox::RdtPlan> plan = sandbox::PlanIntelRdt(*spec.linux.intel_rdt, id, sandbox::FindResctrl());
  Result<void> removed = plan.ok() ? sandbox::RemoveIntelRdt(*plan) : Result<void>(plan.error());
  return removed.ok() ? std::vector<std::string>() : std::vector<std::string>{removed.error().Describe()};
}

void Append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

}  // namespace

Result<Container> Container::Load(const Store& store, const std::string& id) {
  Container container;
  container.entry_ = MXC_TRY(store.Find(id));
  std::optional<State> state = MXC_TRY(container.entry_.ReadState());
  if (!state)
    return Error(Code::kNotFound, "container does not exist: the creation of " + id + " did not come to its end");
  container.state_ = std::move(*state);
  return container;
}

Result<Container> Container::LoadLocked(const Store& store, const std::string& id) {
  Container container = MXC_TRY(Load(store, id));
  MXC_TRY(container.entry_.Lock());
  std::optional<State> state = MXC_TRY(container.entry_.ReadState());
  if (!state) return Error(Code::kNotFound, "container does not exist: " + id);
  container.state_ = std::move(*state);
  return container;
}

Result<Status> Container::ReadStatus() const {
  if (!OpenProcess()) return state_.process.pid == 0 ? Status::kCreating : Status::kStopped;
  if (SomebodyWaits(entry_)) return Status::kCreated;
  cgroup::BundleGroup group = MXC_TRY(OpenGroup());
  return MXC_TRY(group.Frozen()) ? Status::kPaused : Status::kRunning;
}

Result<oci::Spec> Container::ReadSpec() const {
  return oci::ReadSpec(MXC_TRY(entry_.ReadFile(kConfigFile)), entry_.path() + "/" + kConfigFile);
}

Result<cgroup::BundleGroup> Container::OpenGroup() const { return cgroup::BundleGroup::Open(state_.group); }

Result<void> Container::Start() {
  const Status status = MXC_TRY(ReadStatus());
  if (status != Status::kCreated) {
    const bool ended = status == Status::kStopped;
    return Error(Code::kRefused, std::string("cannot start ") +
                                     (ended ? "a container that has stopped: " : "an already running container: ") +
                                     state_.id + " is " + std::string(StatusName(status)));
  }
  oci::Spec spec = MXC_TRY(ReadSpec());
  MXC_TRY(LetStart(entry_, spec));
  Result<void> hooks = RunHooks(spec.hooks.poststart, "hooks.poststart", state_, Status::kRunning);
  // runtime.md, "Lifecycle", step 9: an error, and the container is stopped.
  if (!hooks.ok()) (void)Kill(SIGKILL, true);
  return hooks;
}

// Without a pid namespace of its own nothing ends a container's other processes with its first one.
bool Container::EndsWithFirstProcess() const {
  Result<oci::Spec> spec = ReadSpec();
  return !spec.ok() ||
         std::any_of(spec->linux.namespaces.begin(), spec->linux.namespaces.end(),
                     [](const oci::Namespace& wanted) { return wanted.type == "pid" && wanted.path.empty(); });
}

Result<void> Container::Kill(int signal, bool all) const {
  std::optional<sys::UniqueFd> process = OpenProcess();
  if (all || (signal == SIGKILL && !EndsWithFirstProcess())) {
    cgroup::BundleGroup group = MXC_TRY(OpenGroup());
    const bool ended = !all && !process && (!group.exists() || MXC_TRY(group.Processes()).empty());
    if (ended) return NotRunning(state_.id, Status::kStopped);
    if (group.exists()) return signal == SIGKILL ? group.Kill() : group.Signal(signal);
  }
  if (!process) return NotRunning(state_.id, Status::kStopped);
  const int error = sys::PidfdSendSignal(process->get(), signal);
  if (error == -ESRCH) return NotRunning(state_.id, Status::kStopped);
  if (error < 0)
    return sys::SystemError("send signal " + std::to_string(signal) + " to the container " + state_.id, -error);
  if (signal != SIGKILL) return {};
  // A frozen task of cgroup v1 doesn't die before it is thawed.
  cgroup::BundleGroup group = MXC_TRY(OpenGroup());
  return group.exists() && MXC_TRY(group.Frozen()) ? group.Freeze(false) : Result<void>();
}

Result<void> Container::Pause(bool paused) const {
  const Status status = MXC_TRY(ReadStatus());
  if (paused && status != Status::kRunning && status != Status::kCreated) return NotRunning(state_.id, status);
  if (!paused && status != Status::kPaused) {
    return Error(Code::kRefused, "container not paused: " + state_.id + " is " + std::string(StatusName(status)));
  }
  cgroup::BundleGroup group = MXC_TRY(OpenGroup());
  if (!group.exists()) {
    return Error(Code::kUnsupported,
                 std::string(paused ? "pause " : "resume ") + state_.id + ": the container has no cgroup");
  }
  return group.Freeze(paused);
}

// A `create` that was killed between making the group and writing it down leaves one that only its configuration names.
// Made once more, it is taken over, if nobody else's processes are in it.
Result<cgroup::BundleGroup> Container::FindGroup() const {
  if (!state_.group.empty() || state_.process.pid != 0 || state_.manager != "cgroupfs") return OpenGroup();
  Result<oci::Spec> spec = ReadSpec();
  if (!spec.ok()) return OpenGroup();
  spec->linux.resources.reset();
  cgroup::ManagerOptions options;
  options.id = state_.id;
  options.rootless = !sandbox::IsPrivileged();
  Result<cgroup::BundleGroup> group = cgroup::BundleGroup::Make(*spec, options);
  return group.ok() ? std::move(group) : OpenGroup();
}

Result<void> Container::EndProcesses() {
  cgroup::BundleGroup group = MXC_TRY(FindGroup());
  if (std::optional<sys::UniqueFd> process = OpenProcess()) {
    sys::PidfdSendSignal(process->get(), SIGKILL);
    if (group.exists()) MXC_TRY(group.Kill());
    if (!AwaitProcessEnd(process->get(), kKillPatienceMs)) {
      return Error(Code::kSystem, "delete " + state_.id + ": its first process does not end, though it was killed")
          .WithHint("it may wait for a device or a network file system; try again later");
    }
  } else if (group.exists()) {
    MXC_TRY(group.Kill());
  }
  return group.Destroy();
}

Result<std::vector<std::string>> Container::Delete(bool force) {
  std::vector<std::string> warnings;
  const Status status = MXC_TRY(ReadStatus());
  if (!force && status != Status::kStopped && status != Status::kCreated) {
    return Error(Code::kRefused,
                 "cannot delete container " + state_.id + " that is not stopped: " + std::string(StatusName(status)))
        .WithHint("kill it first, or delete it with --force");
  }
  MXC_TRY(EndProcesses());
  Append(warnings, KeeperReport(entry_));
  Result<oci::Spec> spec = ReadSpec();
  if (spec.ok()) {
    Append(warnings, LeaveIntelRdt(*spec, state_.id));
    Append(warnings, RunLateHooks(spec->hooks.poststop, "hooks.poststop", state_, Status::kStopped));
  } else {
    warnings.push_back("poststop hooks were not run: " + spec.error().Describe());
  }
  MXC_TRY(entry_.Remove());
  return warnings;
}

Result<std::vector<std::string>> ForceDelete(const Store& store, const std::string& id) {
  Result<Container> container = Container::LoadLocked(store, id);
  if (container.ok()) return container->Delete(true);
  Result<Entry> entry = store.Find(id);
  if (!entry.ok()) {
    if (entry.error().code() == Code::kNotFound) return std::vector<std::string>();
    return std::move(entry).error();
  }
  // No state was ever written, and then nothing was made but the folder; or none that can be read.
  if (Result<void> locked = entry->Lock(); !locked.ok()) return std::vector<std::string>();
  MXC_TRY(entry->Remove());
  return std::vector<std::string>();
}

std::optional<int> SignalNumber(const std::string& name) {
  int number = 0;
  const char* end = name.data() + name.size();
  if (auto [at, error] = std::from_chars(name.data(), end, number); error == std::errc() && at == end) {
    return number >= 0 && number < NSIG ? std::optional<int>(number) : std::nullopt;
  }
  std::string word;
  for (char c : name) word += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  if (word.starts_with("SIG")) word.erase(0, 3);
  for (int signal = 1; signal < 32; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && word == known) return signal;
  }
  if (word == "CLD") return SIGCHLD;
  if (word == "IOT") return SIGABRT;
  for (const auto& [base, from, sign] : {std::tuple{"RTMIN", SIGRTMIN, 1}, std::tuple{"RTMAX", SIGRTMAX, -1}}) {
    if (!word.starts_with(base)) continue;
    const std::string rest = word.substr(strlen(base));
    int offset = 0;
    if (!rest.empty()) {
      if (rest[0] != (sign > 0 ? '+' : '-')) return std::nullopt;
      auto [at, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), offset);
      if (error != std::errc() || at != rest.data() + rest.size()) return std::nullopt;
    }
    const int signal = from + sign * offset;
    if (signal >= SIGRTMIN && signal <= SIGRTMAX) return signal;
  }
  return std::nullopt;
}

}  // namespace mxc::container
