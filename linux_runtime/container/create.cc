#include "linux_runtime/container/create.h"

#include <sys/ioctl.h>
#include <time.h>

#include <filesystem>
#include <optional>

#include "linux_runtime/container/entrance.h"
#include "linux_runtime/container/hooks.h"
#include "linux_runtime/container/keeper.h"
#include "linux_runtime/container/landlock_rules.h"
#include "linux_runtime/container/started.h"
#include "linux_runtime/host/wsl.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/keeper_plan.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/seccomp_listener.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"

namespace mxc::container {
namespace {

constexpr char kConfigFile[] = "config.json";
constexpr char kWatchNames[] = "watch denied and protected names";

int64_t UnixMicroseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

std::string_view ManagerName(cgroup::ManagerKind kind) {
  switch (kind) {
    case cgroup::ManagerKind::kCgroupfs:
      return "cgroupfs";
    case cgroup::ManagerKind::kSystemd:
      return "systemd";
    case cgroup::ManagerKind::kDisabled:
      return "disabled";
  }
  return "";
}

// "memory=/sys/fs/cgroup/memory/ID": the memory controller's, or the first of them.
std::string ShownGroup(const std::vector<std::string>& paths) {
  const std::string* shown = paths.empty() ? nullptr : &paths[0];
  for (const std::string& path : paths) {
    if (path.starts_with("memory")) shown = &path;
  }
  return shown == nullptr ? "" : shown->substr(shown->find('=') + 1);
}

Result<std::string> ReadWhole(const std::string& path) {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!file.valid()) return sys::SystemError("open " + path, -file.get());
  std::string text;
  char buffer[16384];
  for (;;) {
    const long size = sys::Read(file.get(), buffer, sizeof buffer);
    if (size < 0) return sys::SystemError("read " + path, static_cast<int>(-size));
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > oci::kMaxSpecBytes) return Error(Code::kInvalid, path + ": too large");
  }
}

// One creation under way: undone by its end unless it was committed.
class Creation {
 public:
  Creation(const Store& store, const CreateOptions& options) : store_(store), options_(options) {}
  ~Creation();
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;

  Result<Created> Run();

 private:
  Result<void> ReadConfig();
  Result<void> Record();
  Result<void> MakePlan();
  Result<void> Start();
  Result<void> Converse();
  Result<void> Listen(sandbox::Word word, sys::UniqueFd fd, bool* ready);
  Result<void> RunRuntimeHooks();
  Result<void> TakeConsole(sys::UniqueFd master);
  Result<void> Commit();
  Error Failure();

  const Store& store_;
  const CreateOptions& options_;
  std::string config_text_;
  oci::Spec spec_;
  oci::Extension extension_;
  std::optional<Entry> entry_;
  State state_;
  sys::UniqueFd console_socket_;
  std::optional<cgroup::BundleGroup> group_;
  std::optional<GroupEntrance> entrance_;
  sandbox::Plan plan_;
  std::optional<sandbox::KeeperOptions> watched_;
  sandbox::Launched launched_;
  std::optional<Keeper> keeper_;
  std::vector<std::string> warnings_;
  bool hooks_ran_ = false;
  bool committed_ = false;
};

Creation::~Creation() {
  if (committed_) return;
  if (launched_.pid > 0) {
    sys::PidfdSendSignal(launched_.pidfd.get(), SIGKILL);
    while (::waitpid(launched_.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (group_ && group_->exists()) {
    (void)group_->Kill();
    (void)group_->Destroy();
  }
  if (plan_.process.rdt) (void)sandbox::RemoveIntelRdt(*plan_.process.rdt);
  if (hooks_ran_) (void)RunLateHooks(spec_.hooks.poststop, "hooks.poststop", state_, Status::kStopped);
  if (entry_) (void)entry_->Remove();
}

Result<void> Creation::ReadConfig() {
  const std::string path = options_.config.empty() ? options_.bundle + "/" + kConfigFile : options_.config;
  config_text_ = MXC_TRY(ReadWhole(path));
  spec_ = MXC_TRY(oci::ReadSpec(config_text_, path));
  extension_ = MXC_TRY_AS(path, oci::ReadExtension(spec_.annotations));
  for (oci::Mount& mount : spec_.mounts) {
    // The specification asks to take it, and for a warning (config.md, "Mounts").
    if (mount.destination.empty() || mount.destination.starts_with('/')) continue;
    warnings_.push_back("mounts: the destination " + mount.destination + " is relative: taken as below /");
    mount.destination.insert(0, "/");
  }
  oci::Validated validated = MXC_TRY_AS(path, oci::Validate(spec_, extension_));
  warnings_.insert(warnings_.end(), validated.warnings.begin(), validated.warnings.end());
  if (!spec_.process)
    return Error(Code::kInvalid, path + ": /process: missing").WithHint("say what to run in process.args");
  if (options_.listen_fds != 0) {
    spec_.process->env.push_back("LISTEN_FDS=" + std::to_string(options_.listen_fds));
    spec_.process->env.push_back("LISTEN_PID=1");
  }
  if (!extension_.empty_root && !spec_.root->path.starts_with('/'))
    spec_.root->path = options_.bundle + "/" + spec_.root->path;
  if (spec_.process->terminal && options_.console_socket.empty() && !options_.own_terminal) {
    return Error(Code::kInvalid,
                 path + ": /process/terminal: cannot allocate tty: nobody takes the terminal of a detached container")
        .WithHint("give --console-socket");
  }
  if (!options_.console_socket.empty()) {
    if (!spec_.process->terminal) {
      return Error(Code::kUsage, "--console-socket was given, and process.terminal of " + path + " is false");
    }
    console_socket_ = MXC_TRY(sys::ConnectUnixSocket(options_.console_socket));
  }
  return {};
}

// Before anything is made that outlives this process: whatever happens, `delete --force` then finds it.
Result<void> Creation::Record() {
  entry_.emplace(MXC_TRY(store_.Create(options_.id)));
  state_.id = options_.id;
  state_.oci_version = spec_.oci_version;
  state_.bundle = options_.bundle;
  state_.rootfs = spec_.root->path;
  state_.manager = ManagerName(options_.manager);
  state_.created_us = UnixMicroseconds();
  state_.owner = ::geteuid();
  state_.annotations = spec_.annotations;
  MXC_TRY(entry_->WriteFile(kConfigFile, config_text_));
  return entry_->AppendState(IdentityLine(state_));
}

Result<void> Creation::MakePlan() {
  sandbox::PlanContext context;
  context.bundle = true;
  context.new_keyring = options_.new_keyring;
  context.container_id = options_.id;
  context.wsl = host::RunsUnderWsl();
  context.no_pivot = options_.no_pivot;
  context.bundle_path = options_.bundle;
  context.privileged = sandbox::IsPrivileged();
  context.capable = sandbox::IsCapable();
  context.uid = ::geteuid();
  context.gid = ::getegid();
  context.landlock_abi = sys::LandlockAbi();
  context.seccomp_cache = options_.seccomp_cache;
  cgroup::ManagerOptions manager;
  manager.kind = options_.manager;
  manager.id = options_.id;
  manager.rootless = !context.privileged;
  group_.emplace(MXC_TRY(cgroup::BundleGroup::Make(spec_, manager)));
  for (const std::string& note : group_->notes()) warnings_.push_back(note);
  state_.group = group_->State();
  state_.group_path = ShownGroup(group_->Paths());
  MXC_TRY(entry_->AppendState(GroupLine(state_)));
  entrance_.emplace(MXC_TRY(OpenEntrance(MXC_TRY(group_->Enter()))));
  context.cgroup_tasks = entrance_->files();
  context.cgroup_directory = entrance_->folder();
  const cgroup::CgroupMounts mounts = group_->Mounts();
  context.cgroup_mounts = &mounts;
  plan_ = MXC_TRY(sandbox::BuildPlan(spec_, extension_, context));
  plan_.bundle.preserved = options_.preserve_fds + options_.listen_fds;
  if (plan_.use_landlock) MXC_TRY(entry_->WriteFile(kLandlockFile, WriteLandlockRules(plan_.landlock)));
  watched_ = sandbox::PlanKeeper(plan_, extension_, context.privileged);
  // A host id of this container's alone, if it has any.
  const bool own_ids = watched_ && context.privileged && !plan_.uid_map.empty() && plan_.uid_map[0].outside != 0;
  if (own_ids) watched_->account = plan_.uid_map[0].outside;
  return {};
}

Result<void> Creation::Start() {
  if (options_.wait_for_start) MXC_TRY(MakeStartFifos(*entry_, plan_));
  launched_ = MXC_TRY(sandbox::Launch(plan_, options_.argv));
  state_.process.pid = launched_.pid;
  if (watched_) {
    watched_->pid = launched_.pid;
    watched_->pidfd = launched_.pidfd.get();
    keeper_.emplace(MXC_TRY_AS(kWatchNames, Keeper::Start(*std::move(watched_), *entry_, sandbox::IsPrivileged(),
                                                          options_.runtime_directory)));
  }
  if (std::optional<ProcessLook> look = LookAtProcess(launched_.pid)) state_.process.start_ticks = look->start_ticks;
  if (plan_.bundle.state_creating >= 0) {
    MXC_TRY(FillStateFile(plan_.bundle.state_creating, OciState(state_, Status::kCreating, false)));
    MXC_TRY(FillStateFile(plan_.bundle.state_created, OciState(state_, Status::kCreated, false)));
  }
  return {};
}

Error Creation::Failure() {
  sandbox::StatusRecord record{};
  if (sys::Read(launched_.status.get(), &record, sizeof record) != static_cast<long>(sizeof record)) {
    return Error(Code::kSystem, "the container's first process ended before it was set up")
        .WithHint("it was killed from outside, or the memory limit is too small for it to start");
  }
  const bool hooks = record.step < plan_.steps.size() && plan_.steps[record.step].op == sandbox::Op::kHooks;
  const auto index = static_cast<size_t>(record.pid);
  if (hooks && index < plan_.bundle.create_container.size()) {
    return HookError(plan_.bundle.create_container[index], {index, record.error, record.wait_status},
                     plan_.bundle.hook_output);
  }
  if (record.step < plan_.steps.size()) return sandbox::StepError(plan_, record.step, record.error);
  return LateFailure(record, spec_);
}

Result<void> Creation::RunRuntimeHooks() {
  hooks_ran_ = true;
  MXC_TRY(RunHooks(spec_.hooks.prestart, "hooks.prestart", state_, Status::kCreating));
  return RunHooks(spec_.hooks.create_runtime, "hooks.createRuntime", state_, Status::kCreating);
}

Result<void> Creation::TakeConsole(sys::UniqueFd master) {
  if (!console_socket_.valid()) {
    launched_.console = std::move(master);
    return {};
  }
  return sys::SendWithDescriptor(console_socket_.get(), "/dev/ptmx", master.get())
      .WithContext("send the terminal to " + options_.console_socket);
}

Result<void> Creation::Listen(sandbox::Word word, sys::UniqueFd fd, bool* ready) {
  switch (word) {
    case sandbox::Word::kRootStands:
      MXC_TRY_AS(kWatchNames, keeper_->Join());
      return launched_.Continue();
    case sandbox::Word::kHooks:
      MXC_TRY(RunRuntimeHooks());
      return launched_.Continue();
    case sandbox::Word::kConsole:
      return TakeConsole(std::move(fd));
    case sandbox::Word::kListener:
      return sandbox::SendSeccompListener(
          *spec_.linux.seccomp, {spec_.oci_version, launched_.pid, OciState(state_, Status::kCreating, false)},
          fd.get());
    case sandbox::Word::kReady:
      *ready = true;
      return {};
    default:
      return Error(Code::kInternal, "the container's first process said something unexpected");
  }
}

// Until the first process has done everything that comes before `start`.
Result<void> Creation::Converse() {
  for (bool ready = false; !ready;) {
    sandbox::Word word{};
    int fd = -1;
    if (int error = sandbox::Hear(launched_.parent.get(), &word, &fd); error < 0) return Failure();
    MXC_TRY(Listen(word, sys::UniqueFd(fd), &ready));
  }
  return {};
}

Result<void> Creation::Commit() {
  if (keeper_) MXC_TRY_AS(kWatchNames, keeper_->Release());
  MXC_TRY(entry_->AppendState(ProcessLine(state_)));
  if (!options_.pid_file.empty()) MXC_TRY(WritePidFile(options_.pid_file, launched_.pid));
  MXC_TRY(launched_.Continue());
  sandbox::Word word{};
  int fd = -1;
  if (sandbox::Hear(launched_.parent.get(), &word, &fd) < 0 || word != sandbox::Word::kFree) return Failure();
  return {};
}

Result<Created> Creation::Run() {
  MXC_TRY(ReadConfig());
  MXC_TRY(Record());
  MXC_TRY(MakePlan());
  MXC_TRY(Start());
  MXC_TRY(Converse());
  MXC_TRY(Commit());
  committed_ = true;
  group_->Release();
  for (std::string& note : plan_.notes) warnings_.push_back(std::move(note));
  return Created{std::move(*entry_), std::move(state_), std::move(spec_), std::move(launched_), std::move(warnings_)};
}

}  // namespace

Result<void> WritePidFile(const std::string& path, pid_t pid) {
  const std::string fresh = path + ".new", text = std::to_string(pid);
  // Made anew, so that no link which somebody put there is followed.
  ::unlink(fresh.c_str());
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!file.valid()) return sys::SystemError("write the pid file " + path, -file.get());
  const long size = sys::Write(file.get(), text.data(), text.size());
  if (size != static_cast<long>(text.size()))
    return sys::SystemError("write the pid file " + path, static_cast<int>(-size));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return sys::SystemError("write the pid file " + path, errno);
  return {};
}

Result<void> AwaitStarted(const Created& created) {
  MXC_TRY(AwaitProgram(created.launched.status.get(), created.spec));
  return RunHooks(created.spec.hooks.poststart, "hooks.poststart", created.state, Status::kRunning);
}

Result<Created> Create(const Store& store, const CreateOptions& options) { return Creation(store, options).Run(); }

}  // namespace mxc::container
