#include <charconv>

#include "linux_runtime/container/exec.h"
#include "linux_runtime/runtime/commands.h"
#include "linux_runtime/supervise/supervise.h"
#include "linux_runtime/sys/raw.h"
#include "shared/oci/json.h"

namespace mxc::runtime {
namespace {

// "1000" or "1000:1000".
Result<void> SetUser(const std::string& text, oci::User& user) {
  const char* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, user.uid);
  bool good = error == std::errc() && (at == end || *at == ':');
  if (good && at != end) {
    auto [last, gid_error] = std::from_chars(at + 1, end, user.gid);
    good = gid_error == std::errc() && last == end;
  }
  if (good) return {};
  return Error(Code::kUsage, "--user: \"" + text + "\" is not UID or UID:GID, as numbers");
}

void AddCapabilities(const std::vector<std::string>& names, oci::Process& process) {
  if (names.empty()) return;
  if (!process.capabilities) process.capabilities.emplace();
  for (const std::string& name : names) {
    for (oci::Strings* set :
         {&process.capabilities->bounding, &process.capabilities->effective, &process.capabilities->permitted}) {
      set->push_back(name);
    }
  }
}

Result<oci::Process> WantedProcess(const Context& context, const oci::Spec& spec) {
  const Options& options = context.options;
  const ExecArguments& own = options.exec;
  oci::Process process;
  if (!own.process.empty()) {
    process = MXC_TRY(oci::ReadProcess(MXC_TRY(ReadInput(own.process)), own.process));
  } else {
    if (options.arguments.empty())
      return Error(Code::kUsage, "exec: no command is given")
          .WithHint("mxc-runtime exec ID COMMAND …, or --process FILE");
    process = MXC_TRY(container::ProcessLike(spec, options.arguments));
  }
  if (!own.cwd.empty()) process.cwd = own.cwd;
  if (!own.user.empty()) MXC_TRY(SetUser(own.user, process.user));
  for (uint32_t group : own.groups) process.user.additional_gids.push_back(group);
  for (const std::string& variable : own.env) process.env.push_back(variable);
  AddCapabilities(own.capabilities, process);
  if (own.tty) process.terminal = true;
  if (own.no_new_privileges) process.no_new_privileges = true;
  if (!own.apparmor.empty()) process.apparmor_profile = own.apparmor;
  if (!own.label.empty()) process.selinux_label = own.label;
  return process;
}

}  // namespace

Result<int> ExecCommand(const Context& context) {
  const Options& options = context.options;
  container::Container container = MXC_TRY(container::Container::Load(context.store, options.id));
  container::ExecOptions exec;
  exec.process = MXC_TRY(WantedProcess(context, MXC_TRY(container.ReadSpec())));
  exec.console_socket = options.console_socket;
  exec.own_terminal = !options.detach;
  exec.pid_file = options.pid_file;
  exec.below = options.exec.cgroups;
  exec.preserve_fds = options.preserve_fds;
  exec.ignore_paused = options.exec.ignore_paused;
  exec.seccomp_cache = context.seccomp_cache;
  exec.argv = context.argv;
  std::vector<std::string> warnings;
  sandbox::Launched launched = MXC_TRY(container::Exec(container, exec, &warnings));
  for (const std::string& warning : warnings) context.log.Warn(warning);
  if (options.detach) return 0;
  return Attend(launched);
}

}  // namespace mxc::runtime
