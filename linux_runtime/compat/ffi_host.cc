#include "linux_runtime/compat/ffi_host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>

#include "include/mxc.h"
#include "linux_runtime/cli/run_command.h"
#include "linux_runtime/compat/backends.h"
#include "linux_runtime/compat/ffi_protocol.h"
#include "linux_runtime/compat/lifecycle.h"
#include "linux_runtime/compat/lxc_request.h"
#include "linux_runtime/compat/lxc_run.h"
#include "linux_runtime/compat/request_spec.h"
#include "linux_runtime/sandbox/startup.h"
#include "linux_runtime/sys/fd.h"
#include "shared/policy/read.h"

namespace mxc::compat {
namespace {

constexpr int kUsage = 2, kKilled = 128 + SIGKILL;

struct Request {
  std::string_view operation;
  bool experimental = false;
  uint16_t rows = 0, columns = 0;
  Config config;
};

void Tell(EventMessage message, std::string texts = "") {
  if (texts.size() > kMaxText) texts.resize(kMaxText);
  texts.insert(0, reinterpret_cast<const char*>(&message), sizeof message);
  // Fails where the library's process is gone. Then nobody wants to know.
  while (::send(kControlFd, texts.data(), texts.size(), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Nul(std::string_view text) { return std::string(text.substr(0, kMaxText / 2)) + '\0'; }

void Fail(int32_t status, const Error& error) {
  Tell({.event = Event::kFailed, .status = status}, Nul(error.Describe()) + Nul(error.hint()));
}

void Answer(const nlohmann::ordered_json& json) { Tell({.event = Event::kText}, Nul(Dump(json))); }

bool HasTerminal(const Request& request) { return request.operation == kPty || request.operation == kExecPty; }

// What of a run is weaker than its policy says: the kind that Microsoft's library warns of.
std::string WarningsOf(const Result<cli::Ended>& ended) {
  std::vector<std::string> weaker;
  if (ended.ok()) {
    for (const std::string& note : ended->warnings) {
      if (note.starts_with("weaker: ")) weaker.push_back(note);
    }
  }
  return weaker.empty() ? "" : Dump(weaker);
}

void TellEnd(int exit_code, bool timed_out, const std::string& warnings) {
  Tell({.event = Event::kEnded, .exit_code = timed_out ? -1 : exit_code, .timed_out = timed_out}, Nul(warnings));
}

// Kill, which the end of the library's process is, too, or another size. Nothing: none is there after all.
std::optional<CommandMessage> TakeCommand() {
  CommandMessage message;
  const ssize_t size = ::recv(kControlFd, &message, sizeof message, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size != sizeof message || message.command != Command::kResize) return CommandMessage{Command::kKill};
  return message;
}

void OnCommand(supervise::Supervisor& supervisor, supervise::Loop& loop) {
  const std::optional<CommandMessage> message = TakeCommand();
  if (!message) return;
  if (message->command == Command::kResize) return supervisor.Resize(message->rows, message->columns);
  loop.Forget(kControlFd);
  supervisor.Kill("its caller asked for it");
}

void Run(Request request, const sandbox::ArgvArea& argv) {
  if (request.operation == kSpec) {
    Result<FromSpec> from = ReadRequestSpec(request.config);
    if (!from.ok()) return Fail(MXC_STATUS_MALFORMED_REQUEST, from.error());
    request.config = std::move(from->config);
    request.experimental = from->experimental;
  }
  Result<policy::Policy> policy = ReadLxcRequest(request.config, request.experimental);
  if (!policy.ok()) {
    return Fail(IsContainment(policy.error()) ? MXC_STATUS_UNSUPPORTED_CONTAINMENT : MXC_STATUS_MALFORMED_REQUEST,
                policy.error());
  }
  bool started = false;
  cli::RunHooks hooks;
  hooks.init_name = kInitName;
  hooks.terminal_streams = request.operation == kPty ? 7 : 0;
  hooks.attend = [&](supervise::Supervisor& supervisor, supervise::Loop& loop) {
    if (request.operation == kPty) supervisor.Resize(request.rows, request.columns);
    loop.Watch(kControlFd, POLLIN, [&](short) { OnCommand(supervisor, loop); });
  };
  hooks.on_started = [&] {
    started = true;
    Tell({.event = Event::kStarted});
  };
  ConfigHost host(environ, request.config);
  client::Options run;
  run.command = client::Command::kRun;
  run.policy = request.config.source;
  Result<cli::Ended> ended = cli::RunCommand(run, host, argv, hooks);
  const LxcEnd end = EndOf(ended, *policy);
  if (ended.ok() && ended->how == report::How::kKilled) return TellEnd(kKilled, false, WarningsOf(ended));
  if (end.timed_out) return TellEnd(-1, true, WarningsOf(ended));
  if (end.error && end.exit_code != kWrongRequest && !started) return Fail(MXC_STATUS_BACKEND_ERROR, *end.error);
  // Of the kind that the program behind a backend of Microsoft's says itself.
  if (end.error) SayPlainly(*end.error);
  TellEnd(end.exit_code, false, WarningsOf(ended));
}

void Fail(const PhaseFailure& failure) { Fail(failure.status, failure.error); }

void Phase(const Request& request) {
  policy::StateAwareRequest asked;
  const bool check_only = request.operation == kCheckPhase;
  std::optional<PhaseFailure> failure = ReadPhase(request.config, asked);
  nlohmann::ordered_json answer;
  if (!failure) failure = RunPhase(asked, request.config, check_only, answer);
  if (failure) return Fail(*failure);
  Answer(answer);
}

void Exec(const Request& request) {
  policy::StateAwareRequest asked;
  if (std::optional<PhaseFailure> failure = ReadPhase(request.config, asked)) return Fail(*failure);
  cli::RemoteHooks hooks;
  if (HasTerminal(request)) hooks.terminal = wire::TerminalSize{request.rows, request.columns};
  hooks.attend = [](cli::RemoteProgram& program, supervise::Loop& loop) {
    loop.Watch(kControlFd, POLLIN, [&](short) {
      const std::optional<CommandMessage> message = TakeCommand();
      if (!message) return;
      if (message->command == Command::kResize) return program.Resize({message->rows, message->columns});
      loop.Forget(kControlFd);
      program.Signal(SIGKILL);
    });
  };
  hooks.on_started = [] { Tell({.event = Event::kStarted}); };
  cli::RemoteEnd end;
  if (std::optional<PhaseFailure> failure = RunExec(asked, request.config, hooks, end)) return Fail(*failure);
  if (end.error) SayPlainly(*end.error);
  TellEnd(end.exit_code, end.how == report::HowName(report::How::kTimedOut),
          end.warnings.empty() ? "" : Dump(end.warnings));
}

std::optional<uint16_t> Number(const char* text) {
  uint16_t value = 0;
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size()) return std::nullopt;
  return value;
}

bool Parse(int argc, char** argv, Request& request) {
  if (argc < 5 || std::string_view(argv[2]) != kProtocolVersion) return false;
  request.operation = argv[3];
  request.experimental = std::string_view(argv[4]) == "1";
  if (!HasTerminal(request)) return argc == 5;
  if (argc != 7) return false;
  const std::optional<uint16_t> rows = Number(argv[5]), columns = Number(argv[6]);
  request.rows = rows.value_or(0);
  request.columns = columns.value_or(0);
  return rows && columns;
}

}  // namespace

int ServeFfi(int argc, char** argv) {
  Request request;
  if (!Parse(argc, argv, request)) {
    ::fputs("lxc-exec: --serve-ffi is for the libmxc_ffi.so of the same version\n", stderr);
    return kUsage;
  }
  if (request.operation == kBackends || request.operation == kSupport) {
    cli::LinuxHost host(environ);
    Result<translate::HostFacts> facts = host.Facts();
    if (!facts.ok()) {
      Fail(MXC_STATUS_BACKEND_ERROR, facts.error());
    } else {
      Answer(request.operation == kBackends ? AvailableBackends(*facts) : PlatformSupport(*facts));
    }
    return 0;
  }
  // Helpers that a start may run (newuidmap, busctl) have nothing to do with it.
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  request.config.source = "request";
  Result<std::string> text = policy::ReadFileLimited("/proc/self/fd/" + std::to_string(kRequestFd));
  ::close(kRequestFd);
  if (!text.ok()) {
    Fail(MXC_STATUS_MALFORMED_REQUEST, text.error());
    return 0;
  }
  request.config.text = std::move(text).value();
  if (request.operation == kPhase || request.operation == kCheckPhase) {
    Phase(request);
  } else if (request.operation == kExec || request.operation == kExecPty) {
    Exec(request);
  } else {
    Run(std::move(request), sandbox::AreaOf(argc, argv));
  }
  // Nothing is left to be done but to free memory.
  ::_exit(0);
}

}  // namespace mxc::compat
