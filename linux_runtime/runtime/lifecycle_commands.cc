#include <filesystem>

#include "linux_runtime/container/container.h"
#include "linux_runtime/container/create.h"
#include "linux_runtime/runtime/commands.h"
#include "linux_runtime/supervise/supervise.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::runtime {
namespace {

Result<std::string> Absolute(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (error) return sys::SystemError("find " + path, error.value());
  std::string text = absolute.string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<container::CreateOptions> CreationOptions(const Context& context) {
  const Options& options = context.options;
  container::CreateOptions creation;
  creation.id = options.id;
  creation.bundle = MXC_TRY(Absolute(options.bundle));
  creation.config = options.config;
  creation.console_socket = options.console_socket;
  creation.pid_file = options.pid_file;
  creation.preserve_fds = options.preserve_fds;
  creation.listen_fds = options.listen_fds;
  creation.no_pivot = options.no_pivot;
  creation.new_keyring = !options.no_new_keyring;
  creation.manager = options.manager;
  creation.seccomp_cache = context.seccomp_cache;
  creation.runtime_directory = context.runtime_directory;
  creation.argv = context.argv;
  return creation;
}

void Warn(const Context& context, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) context.log.Warn(warning);
}

// Of a container that is gone: nobody reads its streams any more, and where things were moved has to be said somewhere.
void Tell(const Context& context, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) context.log.Tell(warning);
}

}  // namespace

Result<int> CreateCommand(const Context& context) {
  container::CreateOptions creation = MXC_TRY(CreationOptions(context));
  container::Created created = MXC_TRY(container::Create(context.store, creation));
  Warn(context, created.warnings);
  return 0;
}

Result<int> Attend(sandbox::Launched& launched) {
  supervise::Loop loop;
  supervise::SuperviseOptions options;
  options.reaper = false;
  supervise::Outcome outcome = supervise::Supervise(launched.running(), std::move(options), loop);
  if (outcome.trouble) return std::move(*outcome.trouble);
  return WIFSIGNALED(outcome.wait_status) ? 128 + WTERMSIG(outcome.wait_status) : WEXITSTATUS(outcome.wait_status);
}

namespace {

Result<int> StartDetached(const Context& context, const std::string& id) {
  container::Container container = MXC_TRY(container::Container::LoadLocked(context.store, id));
  MXC_TRY(container.Start());
  return 0;
}

Result<int> RunToEnd(container::Created& created) {
  MXC_TRY(container::AwaitStarted(created));
  return Attend(created.launched);
}

}  // namespace

Result<int> RunCommand(const Context& context) {
  container::CreateOptions creation = MXC_TRY(CreationOptions(context));
  creation.wait_for_start = context.options.detach;
  creation.own_terminal = !context.options.detach;
  container::Created created = MXC_TRY(container::Create(context.store, creation));
  Warn(context, created.warnings);
  // The lock was held until the state stood; from here on others may look and change.
  const std::string id = created.state.id;
  created.entry = {};
  Result<int> status = context.options.detach ? StartDetached(context, id) : RunToEnd(created);
  if (status.ok() && (context.options.keep || context.options.detach)) return status;
  Result<std::vector<std::string>> warnings = container::ForceDelete(context.store, id);
  if (!status.ok()) return status;
  Tell(context, MXC_TRY(std::move(warnings)));
  return status;
}

Result<int> StartCommand(const Context& context) {
  container::Container container = MXC_TRY(container::Container::LoadLocked(context.store, context.options.id));
  MXC_TRY(container.Start());
  return 0;
}

Result<int> KillCommand(const Context& context) {
  std::optional<int> signal = container::SignalNumber(context.options.signal);
  if (!signal) return Error(Code::kUsage, "unknown signal \"" + context.options.signal + "\"");
  container::Container container = MXC_TRY(container::Container::Load(context.store, context.options.id));
  MXC_TRY(container.Kill(*signal, context.options.all));
  return 0;
}

Result<int> DeleteCommand(const Context& context) {
  if (context.options.force) {
    Tell(context, MXC_TRY(container::ForceDelete(context.store, context.options.id)));
    return 0;
  }
  container::Container container = MXC_TRY(container::Container::LoadLocked(context.store, context.options.id));
  Tell(context, MXC_TRY(container.Delete(false)));
  return 0;
}

Result<int> PauseCommand(const Context& context, bool paused) {
  container::Container container = MXC_TRY(container::Container::LoadLocked(context.store, context.options.id));
  MXC_TRY(container.Pause(paused));
  return 0;
}

}  // namespace mxc::runtime
