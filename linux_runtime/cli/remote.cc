#include "linux_runtime/cli/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <utility>

#include "linux_runtime/cli/output_sink.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/supervise/console_relay.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/supervise/write_report.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/unix_socket.h"
#include "linux_runtime/transport/connection.h"
#include "shared/base/version.h"
#include "shared/client/remote.h"

namespace mxc::cli {
namespace {

using supervise::Loop;

constexpr size_t kReadSize = 64 << 10;
constexpr std::chrono::seconds kSecondInterrupt{2};

std::string Environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

Result<sys::UniqueFd> ConnectTo(const std::string& path) {
  sys::UniqueFd socket = MXC_TRY(sys::ConnectUnixSocket(path));
  ucred server{};
  socklen_t size = sizeof server;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &server, &size) != 0)
    return sys::SystemError("ask who listens", errno);
  // It gets the policy, the environment and what is typed.
  if (server.uid != 0 && server.uid != ::geteuid()) {
    return Error(Code::kRefused, "what listens on " + path + " is neither root's nor yours, but uid " +
                                     std::to_string(server.uid) + "'s");
  }
  return socket;
}

client::RemoteCaller Caller() {
  client::RemoteCaller caller;
  if (char* cwd = ::getcwd(nullptr, 0)) {
    caller.cwd = cwd;
    ::free(cwd);
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals != 0)
      caller.env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return caller;
}

std::optional<wire::TerminalSize> SizeOf(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return wire::TerminalSize{size.ws_row, size.ws_col};
}

// The user's terminal by way of a PTY of our own, whose other end is raw: what relays and filters a sandbox's terminal does so for
// one that is far away.
struct LocalTerminal {
  sys::UniqueFd master, slave;
  std::unique_ptr<supervise::ConsoleRelay> relay;
};

class Remote : private RemoteProgram {
 public:
  Remote(const client::Options& options, const RemoteHooks& hooks, wire::Request request, sys::UniqueFd socket,
         unsigned terminals)
      : options_(options),
        hooks_(hooks),
        request_(std::move(request)),
        terminals_(terminals),
        connection_(std::move(socket), sys::UniqueFd()) {}

  Result<RemoteEnd> Run();

 private:
  bool has_streams() const { return request_.streams.output != 0; }
  Result<void> OpenTerminal();
  void OpenStreams();
  Result<void> OnMessage(std::string_view json);
  Result<void> OnReply(const wire::Reply& reply);
  void OnExited(wire::Exited exited);
  void OnData(uint32_t stream, std::string_view bytes);
  void OnSignal(int signal);
  void Signal(int signal) override;
  void Resize(wire::TerminalSize size) override { Ask(wire::Operation::kResize, 0, size); }
  void ReadInput();
  void WatchInput(bool on);
  void WriteTerminal();
  void Ask(wire::Operation operation, int signal, std::optional<wire::TerminalSize> size = {});
  void Finish();
  void FinishIfDone();

  const client::Options& options_;
  const RemoteHooks& hooks_;
  wire::Request request_;
  unsigned terminals_;  // which standard streams are, a bit each
  transport::Connection connection_;
  Loop loop_;
  RemoteEnd end_;
  std::optional<Error> failure_;
  uint32_t program_ = 0, last_request_ = 1;
  int early_signal_ = 0;
  bool replied_ = false, ended_ = false, draining_ = false, finished_ = false;
  LocalTerminal terminal_;
  std::array<std::unique_ptr<OutputSink>, 3> sinks_;
  std::string shown_;  // for the terminal
  bool watching_input_ = false, watching_shown_ = false, input_open_ = false;
  Loop::Clock::time_point last_interrupt_{};
};

Result<void> Remote::OpenTerminal() {
  if (!has_streams() || terminals_ == 0) return {};
  terminal_.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[64];
  if (!terminal_.master.valid() || ::unlockpt(terminal_.master.get()) != 0 ||
      ::ptsname_r(terminal_.master.get(), name, sizeof name) != 0) {
    return sys::SystemError("make a terminal", errno);
  }
  terminal_.slave.reset(::open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  termios raw{};
  if (!terminal_.slave.valid() || ::tcgetattr(terminal_.slave.get(), &raw) != 0)
    return sys::SystemError("make a terminal", errno);
  ::cfmakeraw(&raw);
  ::tcsetattr(terminal_.slave.get(), TCSANOW, &raw);
  const bool typed = request_.terminal.has_value();
  terminal_.relay = std::make_unique<supervise::ConsoleRelay>(
      supervise::ConsoleStreams{terminal_.master.get(), typed ? 0 : -1, (terminals_ & 2) != 0 ? 1 : 2}, loop_);
  MXC_TRY_AS("use the terminal", terminal_.relay->Start());
  if (typed) terminal_.relay->Listen();
  return {};
}

void Remote::OpenStreams() {
  wire::Multiplexer& mux = connection_.mux();
  if (request_.streams.input != 0) mux.OpenWriter(request_.streams.input);
  mux.OpenReader(request_.streams.output);
  mux.OpenReader(request_.streams.error);
  input_open_ = request_.streams.input != 0;
  for (const int fd : {1, 2}) {
    if ((terminals_ >> fd & 1) != 0) continue;
    const uint32_t stream = fd == 1 ? request_.streams.output : request_.streams.error;
    sinks_[static_cast<size_t>(fd)] = std::make_unique<OutputSink>(
        fd, loop_,
        [this, stream](size_t bytes) {
          connection_.mux().Consumed(stream, bytes);
          connection_.Flush();
          FinishIfDone();
        },
        [this, stream] {
          connection_.mux().Reset(stream);
          connection_.Flush();
        });
  }
}

void Remote::Ask(wire::Operation operation, int signal, std::optional<wire::TerminalSize> size) {
  if (!replied_ || ended_ || program_ == 0) return;
  const wire::Request request = client::FurtherRequest(request_, ++last_request_, program_, operation, signal, size);
  connection_.mux().SendMessage(wire::WriteRequest(request));
  connection_.Flush();
}

void Remote::OnSignal(int signal) {
  switch (signal) {
    case SIGWINCH:
      if (!terminal_.relay) return;
      terminal_.relay->Resize();
      return Ask(wire::Operation::kResize, 0, SizeOf(terminal_.slave.get()));
    case SIGTSTP:
      if (terminal_.relay) terminal_.relay->Suspend();
      ::raise(SIGSTOP);
      if (terminal_.relay) terminal_.relay->Resume();
      return;
    case SIGINT: {
      const auto now = Loop::Clock::now();
      const bool again = last_interrupt_ != Loop::Clock::time_point{} && now - last_interrupt_ < kSecondInterrupt;
      last_interrupt_ = now;
      if (!replied_) {
        failure_ = Error(Code::kRefused, "interrupted before the program ran");
        return Finish();
      }
      return Ask(wire::Operation::kSignal, again ? SIGKILL : SIGINT);
    }
    default:
      if (!replied_) return Finish();
      return Ask(wire::Operation::kSignal, signal);
  }
}

void Remote::Signal(int signal) {
  if (!replied_) early_signal_ = signal;
  Ask(wire::Operation::kSignal, signal);
}

// From the terminal's inner end, or from the standard input.
void Remote::ReadInput() {
  const size_t room = connection_.mux().Room(request_.streams.input);
  if (room == 0) return WatchInput(false);
  static char buffer[kReadSize];
  const int fd = request_.terminal ? terminal_.slave.get() : STDIN_FILENO;
  const ssize_t size = ::read(fd, buffer, std::min(room, kReadSize));
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (size <= 0) {
    WatchInput(false);
    input_open_ = false;
    connection_.mux().End(request_.streams.input);
  } else {
    connection_.mux().Write(request_.streams.input, {buffer, static_cast<size_t>(size)});
  }
  connection_.Flush();
}

void Remote::WatchInput(bool on) {
  on = on && input_open_;
  if (std::exchange(watching_input_, on) == on) return;
  const int fd = request_.terminal ? terminal_.slave.get() : STDIN_FILENO;
  if (request_.terminal) {
    loop_.Forget(fd);
    watching_shown_ = false;
    loop_.Watch(fd, static_cast<short>((on ? POLLIN : 0) | (shown_.empty() ? 0 : POLLOUT)), [this](short events) {
      if ((events & POLLOUT) != 0) WriteTerminal();
      if ((events & POLLIN) != 0) ReadInput();
    });
  } else if (on) {
    loop_.Watch(fd, POLLIN, [this](short) { ReadInput(); });
  } else {
    loop_.Forget(fd);
  }
}

void Remote::WriteTerminal() {
  size_t done = 0;
  while (done < shown_.size()) {
    const ssize_t size = ::write(terminal_.slave.get(), shown_.data() + done, shown_.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    done += static_cast<size_t>(size);
  }
  shown_.erase(0, done);
  if (request_.terminal) {
    loop_.SetEvents(terminal_.slave.get(),
                    static_cast<short>((watching_input_ ? POLLIN : 0) | (shown_.empty() ? 0 : POLLOUT)));
  } else {
    const bool on = !shown_.empty();
    if (std::exchange(watching_shown_, on) != on) {
      if (on) {
        loop_.Watch(terminal_.slave.get(), POLLOUT, [this](short) { WriteTerminal(); });
      } else {
        loop_.Forget(terminal_.slave.get());
      }
    }
  }
  if (done != 0) {
    // Both outputs share the terminal; their windows are given back alike.
    connection_.mux().Consumed(request_.streams.output, done);
    connection_.Flush();
  }
  FinishIfDone();
}

void Remote::OnData(uint32_t stream, std::string_view bytes) {
  const size_t fd = stream == request_.streams.output ? 1 : 2;
  if (sinks_[fd]) return sinks_[fd]->Write(bytes);
  if (fd == 2) connection_.mux().Consumed(stream, bytes.size());
  shown_.append(bytes);
  WriteTerminal();
}

Result<void> Remote::OnMessage(std::string_view json) {
  wire::FromServer message = MXC_TRY(wire::ReadFromServer(json));
  if (message.reply) return OnReply(*message.reply);
  if (message.exited && (program_ == 0 || message.exited->program == program_)) OnExited(*std::move(message.exited));
  if (message.detached && message.detached->program == program_) {
    failure_ = Error(Code::kRefused, "another client has attached to the program; it goes on");
    Finish();
  }
  return {};
}

Result<void> Remote::OnReply(const wire::Reply& reply) {
  if (reply.id > 1) return {};
  if (reply.error) {
    failure_ = reply.error;
    Finish();
    return {};
  }
  replied_ = true;
  program_ = reply.program;
  if (!reply.session.empty()) request_.session = reply.session;
  if (!has_streams()) {
    end_.text = client::ReplyText(options_, reply);
    Finish();
    return {};
  }
  if (hooks_.on_started) hooks_.on_started();
  if (early_signal_ != 0) Ask(wire::Operation::kSignal, early_signal_);
  return {};
}

void Remote::OnExited(wire::Exited exited) {
  ended_ = true;
  WatchInput(false);
  end_.exit_code = exited.exit_code;
  end_.error = std::move(exited.error);
  end_.how = std::move(exited.how);
  end_.warnings = std::move(exited.warnings);
  if (options_.report && !exited.report.empty()) end_.text = std::move(exited.report);
  FinishIfDone();
}

// All that the program said is where it belongs.
void Remote::FinishIfDone() {
  if (!ended_ || finished_ || draining_ || !shown_.empty()) return;
  for (const auto& sink : sinks_) {
    if (sink && !sink->empty()) return;
  }
  if (!terminal_.relay) return Finish();
  draining_ = true;
  loop_.Forget(terminal_.slave.get());
  terminal_.slave.reset();
  terminal_.relay->Drain([this] { Finish(); });
}

void Remote::Finish() {
  if (std::exchange(finished_, true)) return;
  if (connection_.closed()) return loop_.Stop();
  connection_.Finish();
}

Result<RemoteEnd> Remote::Run() {
  MXC_TRY(OpenTerminal());
  if (has_streams()) OpenStreams();
  connection_.Listen({
      .on_hello = [](std::string_view json) -> Result<void> {
        MXC_TRY(wire::AgreeOn(MXC_TRY(wire::ReadHello(json))));
        return {};
      },
      .on_message = [this](std::string_view json) { return OnMessage(json); },
      .on_data = [this](uint32_t stream, std::string_view bytes) { OnData(stream, bytes); },
      .on_reset =
          [this](uint32_t) {
            WatchInput(false);
            input_open_ = false;
          },
      .on_progress =
          [this] {
            if (has_streams() && replied_ && !ended_) WatchInput(true);
          },
      .on_closed =
          [this](std::optional<Error> error) {
            // What the program said may still be on its way to a slow reader.
            if (ended_ && !finished_) return;
            if (!finished_ && !failure_) {
              failure_ = error ? std::move(*error) : Error(Code::kSystem, "mxcd ended the connection");
            }
            loop_.Stop();
          },
  });
  MXC_TRY(loop_.CatchSignals({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP},
                             [this](const signalfd_siginfo& info) { OnSignal(static_cast<int>(info.ssi_signo)); }));
  if (hooks_.attend) hooks_.attend(*this, loop_);
  connection_.mux().SendHello(wire::WriteHello({.program = std::string("mxc ") + kVersion}));
  connection_.mux().SendMessage(wire::WriteRequest(request_));
  connection_.Attach(loop_);
  Result<void> ran = loop_.Run();
  if (terminal_.relay) terminal_.relay->Finish();
  MXC_TRY(std::move(ran));
  if (failure_) return *std::move(failure_);
  return std::move(end_);
}

}  // namespace

Result<sys::UniqueFd> ConnectToDaemon() {
  if (std::string path = Environment("MXC_SOCKET"); !path.empty()) return ConnectTo(path);
  if (::geteuid() != 0) {
    Result<sys::UniqueFd> own =
        ConnectTo(run::DaemonFolder(false, Environment("XDG_RUNTIME_DIR")) + run::kDaemonSocket);
    if (own.ok() || own.error().code() == Code::kRefused) return own;
  }
  Result<sys::UniqueFd> of_root = ConnectTo(run::DaemonFolder(true, "") + run::kDaemonSocket);
  if (of_root.ok() || of_root.error().code() == Code::kRefused) return of_root;
  Error error = std::move(of_root).error();
  return std::move(error)
      .WithContext("reach mxcd")
      .WithHint("is mxcd running? Start it (`mxcd &`, or systemctl start mxcd); `mxc run` without --daemon needs none");
}

Result<RemoteEnd> RemoteCommand(const client::Options& options, LinuxHost& host, const RemoteHooks& hooks) {
  std::optional<supervise::ReportFile> report;
  const bool runs = options.command == client::Command::kRun;
  if (runs && options.report) report.emplace(MXC_TRY(supervise::ReportFile::Open(*options.report)));
  unsigned terminals = 0;
  for (const int fd : {0, 1, 2}) terminals |= ::isatty(fd) == 1 ? 1u << fd : 0u;
  std::optional<wire::TerminalSize> size = hooks.terminal;
  if (size) {
    terminals = 7;
  } else if ((terminals & 3) == 3) {
    size = SizeOf(1);
    terminals = 7;  // the program has one for all three
  } else {
    terminals &= 6;
  }
  wire::Request request = MXC_TRY(client::RemoteRequest(options, host, Caller(), size));
  sys::UniqueFd socket = MXC_TRY(ConnectToDaemon());
  ::signal(SIGPIPE, SIG_IGN);
  Result<RemoteEnd> end = Remote(options, hooks, std::move(request), std::move(socket), terminals).Run();
  if (report && end.ok()) {
    Result<void> written = report->WriteText(std::exchange(end->text, {}));
    if (!written.ok() && !end->error) end->error = std::move(written).error();
  }
  return end;
}

}  // namespace mxc::cli
