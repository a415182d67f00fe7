// mxc-runtime: the OCI runtime that podman, containerd and buildah call.
#include <stdlib.h>
#include <string.h>

#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/runtime/commands.h"
#include "linux_runtime/runtime/inherited.h"
#include "linux_runtime/runtime/own_program.h"
#include "linux_runtime/runtime/version.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/startup.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::runtime {
namespace {

constexpr int kFailed = 1, kExecFailed = 255;

std::string RuntimeDirectory() {
  const char* value = ::getenv("XDG_RUNTIME_DIR");
  return value == nullptr ? "" : value;
}

Result<int> RunOne(const Context& context) {
  switch (context.options.command) {
    case Command::kCreate:
      return CreateCommand(context);
    case Command::kRun:
      return RunCommand(context);
    case Command::kStart:
      return StartCommand(context);
    case Command::kState:
      return StateCommand(context);
    case Command::kKill:
      return KillCommand(context);
    case Command::kDelete:
      return DeleteCommand(context);
    case Command::kExec:
      return ExecCommand(context);
    case Command::kPs:
      return PsCommand(context);
    case Command::kList:
      return ListCommand(context);
    case Command::kPause:
      return PauseCommand(context, true);
    case Command::kResume:
      return PauseCommand(context, false);
    case Command::kUpdate:
      return UpdateCommand(context);
    case Command::kEvents:
      return EventsCommand(context);
    default:
      return Error(Code::kInternal, "a command without its code");
  }
}

Result<int> Run(const Options& options, const Log& log, const sandbox::ArgvArea& argv) {
  switch (options.command) {
    case Command::kVersion:
      MXC_TRY(Print(VersionText()));
      return 0;
    case Command::kFeatures:
      MXC_TRY(Print(Features()));
      return 0;
    case Command::kSpec:
      return SpecCommand(options);
    case Command::kCheckpoint:
    case Command::kRestore:
      return Error(Code::kUnsupported, "checkpoint and restore are out of scope of this runtime")
          .WithHint("runc and crun have them, by CRIU");
    default:
      break;
  }
  const std::string runtime_directory = RuntimeDirectory();
  // Root of a user namespace (podman's, rootless) keeps its state where its user may.
  const std::string base = run::StateFolderPath(sandbox::IsPrivileged(), runtime_directory);
  container::Store store = MXC_TRY(container::Store::Open(options.root.empty() ? base + "/containers" : options.root));
  return RunOne({options, store, log, base + "/filters", runtime_directory, argv});
}

int Main(int argc, char** argv) {
  Parsed parsed = ParseCommandLine(argc, argv);
  if (!parsed.options) {
    const bool help = parsed.exit_code == 0;
    ::fputs(((help ? "" : "mxc-runtime: ") + parsed.message).c_str(), help ? stdout : stderr);
    return parsed.exit_code;
  }
  const Log log(parsed.options->log);
  if (RunsPrograms(parsed.options->command)) {
    Result<void> ready = TakeInherited(*parsed.options);
    if (ready.ok()) ready = SealOwnProgram(argv);
    if (!ready.ok()) {
      log.Fail(ready.error());
      return kFailed;
    }
  }
  Result<int> status = Run(*parsed.options, log, sandbox::AreaOf(argc, argv));
  if (status.ok()) {
    log.Debug(std::string(argv[0]) + ": done, exit status " + std::to_string(*status));
    return *status;
  }
  log.Fail(status.error());
  // What its program may well end with, exec doesn't.
  return parsed.options->command == Command::kExec ? kExecFailed : kFailed;
}

}  // namespace

Result<void> Print(const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const long size = sys::Write(1, text.data() + at, text.size() - at);
    if (size < 0 && size != -EINTR) return sys::SystemError("write to standard output", static_cast<int>(-size));
    if (size > 0) at += static_cast<size_t>(size);
  }
  return {};
}

Result<std::string> ReadInput(const std::string& path) {
  constexpr size_t kMost = 16u << 20;
  sys::UniqueFd file(path == "-" ? ::fcntl(0, F_DUPFD_CLOEXEC, 3) : sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!file.valid()) return sys::SystemError("open " + path, path == "-" ? errno : -file.get());
  std::string text;
  char buffer[16384];
  for (;;) {
    const long size = sys::Read(file.get(), buffer, sizeof buffer);
    if (size == -EINTR) continue;
    if (size < 0) return sys::SystemError("read " + path, static_cast<int>(-size));
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > kMost) return Error(Code::kInvalid, path + ": too large");
  }
}

}  // namespace mxc::runtime

int main(int argc, char** argv) {
  if (!mxc::sandbox::FillStandardStreams()) return mxc::runtime::kFailed;
  return mxc::runtime::Main(argc, argv);
}
