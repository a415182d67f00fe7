#include "linux_runtime/container/exec.h"

#include "linux_runtime/container/create.h"
#include "linux_runtime/container/entrance.h"
#include "linux_runtime/container/landlock_rules.h"
#include "linux_runtime/container/started.h"
#include "linux_runtime/host/wsl.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/seccomp_listener.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"
#include "shared/oci/validate.h"

namespace mxc::container {
namespace {

// Which of the container's namespaces are not this process's own: joining one's own user namespace is an error of setns.
Result<uint64_t> OtherNamespaces(pid_t pid) {
  constexpr std::pair<const char*, uint64_t> kKinds[] = {
      {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
      {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME}};
  uint64_t other = 0;
  for (const auto& [name, flag] : kKinds) {
    struct stat own, its;
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
    if (::stat((std::string("/proc/self/ns/") + name).c_str(), &own) != 0) continue;  // a kernel without this kind
    if (::stat(path.c_str(), &its) != 0) return sys::SystemError("look at " + path, errno);
    if (own.st_ino != its.st_ino || own.st_dev != its.st_dev) other |= flag;
  }
  return other;
}

Result<void> CheckStatus(const Container& container, bool ignore_paused) {
  const Status status = MXC_TRY(container.ReadStatus());
  const std::string& id = container.state().id;
  if (status == Status::kRunning || status == Status::kCreated) return {};
  if (status == Status::kPaused) {
    if (ignore_paused) return {};
    return Error(Code::kRefused, "cannot exec in a paused container: " + id)
        .WithHint("resume it first, or give --ignore-paused");
  }
  return Error(Code::kRefused, "cannot exec in a stopped container: container not running: " + id);
}

// What the first process of an exec says until it is ready.
Result<void> Converse(sandbox::Launched& launched, int console_socket, const oci::Spec& spec, const State& state) {
  auto failure = [&]() -> Error {
    sandbox::StatusRecord record{};
    if (sys::Read(launched.status.get(), &record, sizeof record) != static_cast<long>(sizeof record)) {
      return Error(Code::kSystem, "the process ended before it was set up");
    }
    return LateFailure(record, spec);
  };
  for (;;) {
    sandbox::Word word{};
    int fd = -1;
    if (sandbox::Hear(launched.parent.get(), &word, &fd) < 0) return failure();
    sys::UniqueFd received(fd);
    if (word == sandbox::Word::kReady) return {};
    if (word == sandbox::Word::kListener) {
      MXC_TRY(sandbox::SendSeccompListener(*spec.linux.seccomp,
                                           {spec.oci_version, launched.pid, OciState(state, Status::kRunning, false)},
                                           received.get()));
      continue;
    }
    if (word != sandbox::Word::kConsole) return Error(Code::kInternal, "the process said something unexpected");
    if (console_socket >= 0) {
      MXC_TRY(sys::SendWithDescriptor(console_socket, "/dev/ptmx", received.get()));
    } else {
      launched.console = std::move(received);
    }
  }
}

}  // namespace

Result<oci::Process> ProcessLike(const oci::Spec& spec, const std::vector<std::string>& argv) {
  if (!spec.process) return Error(Code::kInvalid, "the container's configuration has no process");
  oci::Process process = *spec.process;
  process.args = argv;
  process.terminal = false;
  process.console_size.reset();
  return process;
}

Result<sandbox::Launched> Exec(const Container& container, const ExecOptions& options,
                               std::vector<std::string>* warnings) {
  MXC_TRY(CheckStatus(container, options.ignore_paused));
  oci::Spec spec = MXC_TRY(container.ReadSpec());
  spec.process = options.process;
  const oci::Extension extension = MXC_TRY(oci::ReadExtension(spec.annotations));
  oci::Validated validated = MXC_TRY(oci::Validate(spec, extension));
  *warnings = std::move(validated.warnings);
  sys::UniqueFd console_socket;
  if (!options.console_socket.empty()) console_socket = MXC_TRY(sys::ConnectUnixSocket(options.console_socket));
  if (options.process.terminal && !console_socket.valid() && !options.own_terminal) {
    return Error(Code::kUsage, "cannot allocate tty: nobody takes the terminal of a detached process")
        .WithHint("give --console-socket");
  }
  std::optional<sys::UniqueFd> first = container.OpenProcess();
  if (!first) return Error(Code::kRefused, "container not running: " + container.state().id);
  cgroup::BundleGroup group = MXC_TRY(container.OpenGroup());
  GroupEntrance entrance =
      MXC_TRY(OpenEntrance(MXC_TRY(group.EnterForExec(options.below, container.state().process.pid))));

  sandbox::PlanContext context;
  context.bundle = context.exec = context.new_keyring = true;
  context.container_id = container.state().id;
  context.wsl = host::RunsUnderWsl();
  context.privileged = sandbox::IsPrivileged();
  context.capable = sandbox::IsCapable();
  context.uid = ::geteuid();
  context.gid = ::getegid();
  context.landlock_abi = sys::LandlockAbi();
  context.seccomp_cache = options.seccomp_cache;
  context.cgroup_tasks = entrance.files();
  std::optional<sandbox::LandlockPlan> landlock;
  if (extension.landlock && extension.landlock->enabled) {
    Result<std::string> rules = container.entry().ReadFile(kLandlockFile);
    // Without any, this kernel had none to give when the container was made.
    if (rules.ok()) landlock = MXC_TRY(ReadLandlockRules(*rules));
    if (!rules.ok() && rules.error().code() != Code::kNotFound) return std::move(rules).error();
  }
  sandbox::Plan plan = MXC_TRY(sandbox::BuildExecPlan(
      spec, extension, context, {first->get(), MXC_TRY(OtherNamespaces(container.state().process.pid)), "container's"},
      landlock ? &*landlock : nullptr));
  plan.bundle.preserved = options.preserve_fds;
  // The namespaces were looked at by number: still those of the process that the pidfd holds?
  if (!container.OpenProcess()) return Error(Code::kRefused, "container not running: " + container.state().id);

  sandbox::Launched launched = MXC_TRY(sandbox::Launch(plan, options.argv));
  auto finish = [&]() -> Result<void> {
    MXC_TRY(Converse(launched, console_socket.get(), spec, container.state()));
    if (!options.pid_file.empty()) MXC_TRY(WritePidFile(options.pid_file, launched.pid));
    MXC_TRY(launched.Continue());
    sandbox::Word word{};
    int fd = -1;
    if (sandbox::Hear(launched.parent.get(), &word, &fd) < 0)
      return Error(Code::kSystem, "the process ended before its program ran");
    return AwaitProgram(launched.status.get(), spec);
  };
  Result<void> finished = finish();
  if (!finished.ok()) {
    sys::PidfdSendSignal(launched.pidfd.get(), SIGKILL);
    ::waitpid(launched.pid, nullptr, 0);
    return std::move(finished).error();
  }
  for (std::string& note : plan.notes) warnings->push_back(std::move(note));
  return launched;
}

}  // namespace mxc::container
