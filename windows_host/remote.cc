#include "windows_host/remote.h"

// clang-format off
#include <windows.h>
#include <sddl.h>  // which needs it
// clang-format on

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "linux_runtime/supervise/terminal_filter.h"
#include "shared/audit/event.h"
#include "shared/base/version.h"
#include "shared/client/remote.h"
#include "shared/wire/multiplexer.h"
#include "windows_host/audit.h"
#include "windows_host/console.h"
#include "windows_host/relay_process.h"
#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

constexpr size_t kReadSize = 64 << 10;
constexpr std::chrono::milliseconds kLook{250};  // how often the console's size is looked at
constexpr std::chrono::seconds kSecondInterrupt{2};
constexpr int kSigInt = 2, kSigKill = 9, kSigTerm = 15;

// What threads tell the one that speaks the protocol.
struct Event {
  enum class Kind : uint8_t { kRelay, kInput, kWritten, kUnwanted, kInterrupt, kClose } kind;
  std::string bytes = {};  // kRelay, kInput; "": the end
  int stream = 0;          // kWritten, kUnwanted (nobody takes it any more): 1 or 2
  size_t size = 0;         // kWritten
};

class Events {
 public:
  void Put(Event event) {
    const std::lock_guard<std::mutex> hold(lock_);
    queue_.push_back(std::move(event));
    ready_.notify_one();
  }
  std::optional<Event> Take(std::chrono::milliseconds within) {
    std::unique_lock<std::mutex> hold(lock_);
    if (!ready_.wait_for(hold, within, [this] { return !queue_.empty(); })) return std::nullopt;
    Event event = std::move(queue_.front());
    queue_.pop_front();
    return event;
  }

 private:
  std::mutex lock_;
  std::condition_variable ready_;
  std::deque<Event> queue_;
};

// Alive as long as the process: threads that read may hang in a call until the end.
Events& Queue() {
  static Events* const kQueue = new Events();
  return *kQueue;
}

BOOL WINAPI OnControl(DWORD type) {
  if (type == CTRL_C_EVENT || type == CTRL_BREAK_EVENT) {
    Queue().Put({Event::Kind::kInterrupt});
    return TRUE;
  }
  Queue().Put({Event::Kind::kClose});
  ::Sleep(3000);  // the process ends when this returns
  return TRUE;
}

// Writes on a thread of its own, so that a window that stands still (text is being selected) stops nothing else.
class Writer {
 public:
  Writer(int stream, Output::Stream output) : stream_(stream), output_(output) {
    filtered_ = output_.is_console();
    if (filtered_) output_.EnableColors();
    thread_ = std::thread([this] { Run(); });
  }
  void Put(std::string_view bytes) {
    const std::lock_guard<std::mutex> hold(lock_);
    pending_.append(bytes);
    raw_ += bytes.size();
    ready_.notify_one();
  }
  // Everything is written, or nobody takes it any more.
  bool Idle() {
    const std::lock_guard<std::mutex> hold(lock_);
    return pending_.empty() && !writing_;
  }
  void End() {
    {
      const std::lock_guard<std::mutex> hold(lock_);
      ended_ = true;
      ready_.notify_one();
    }
    thread_.join();
  }

 private:
  void Run() {
    for (;;) {
      std::string bytes;
      size_t raw = 0;
      bool last = false;
      {
        std::unique_lock<std::mutex> hold(lock_);
        ready_.wait(hold, [this] { return !pending_.empty() || ended_; });
        bytes = std::exchange(pending_, {});
        raw = std::exchange(raw_, 0);
        last = ended_ && bytes.empty();
        writing_ = true;
      }
      if (filtered_) {
        std::string shown;
        filter_.Filter(bytes, shown);
        if (last) filter_.Finish(shown);
        bytes = std::move(shown);
      }
      if (!broken_ && !bytes.empty() && !output_.Write(bytes)) {
        broken_ = true;
        Queue().Put({Event::Kind::kUnwanted, {}, stream_});
      }
      {
        const std::lock_guard<std::mutex> hold(lock_);
        writing_ = false;
      }
      if (raw != 0) Queue().Put({Event::Kind::kWritten, {}, stream_, raw});
      if (last) return;
    }
  }

  int stream_;
  Output output_;
  bool filtered_ = false, broken_ = false, ended_ = false, writing_ = false;
  supervise::TerminalFilter filter_;
  std::mutex lock_;
  std::condition_variable ready_;
  std::string pending_;
  size_t raw_ = 0;
  std::thread thread_;
};

// Reads the standard input a piece at a time, each when the one before it has gone.
class Reader {
 public:
  void Start() {
    thread_ = std::thread([this] {
      const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
      std::vector<char> buffer(kReadSize);
      for (;;) {
        DWORD size = 0;
        if (!::ReadFile(input, buffer.data(), static_cast<DWORD>(buffer.size()), &size, nullptr)) size = 0;
        Queue().Put({Event::Kind::kInput, std::string(buffer.data(), size)});
        if (size == 0) return;
        std::unique_lock<std::mutex> hold(lock_);
        taken_.wait(hold, [this] { return wanted_; });
        wanted_ = false;
      }
    });
  }
  void Next() {
    const std::lock_guard<std::mutex> hold(lock_);
    wanted_ = true;
    taken_.notify_one();
  }

 private:
  std::mutex lock_;
  std::condition_variable taken_;
  bool wanted_ = false;
  std::thread thread_;
};

// The console's modes while a program inside has a terminal: keys as they are typed, Ctrl-C among them.
class RawConsole {
 public:
  RawConsole() : input_(::GetStdHandle(STD_INPUT_HANDLE)) {
    raw_ = ::GetConsoleMode(input_, &before_) &&
           ::SetConsoleMode(input_, ENABLE_VIRTUAL_TERMINAL_INPUT | ENABLE_EXTENDED_FLAGS);
  }
  ~RawConsole() {
    if (raw_) ::SetConsoleMode(input_, before_);
  }

 private:
  HANDLE input_;
  DWORD before_ = 0;
  bool raw_ = false;
};

std::optional<wire::TerminalSize> ConsoleSize() {
  DWORD mode = 0;
  CONSOLE_SCREEN_BUFFER_INFO info{};
  const HANDLE output = ::GetStdHandle(STD_OUTPUT_HANDLE);
  if (!::GetConsoleMode(::GetStdHandle(STD_INPUT_HANDLE), &mode) || !::GetConsoleScreenBufferInfo(output, &info))
    return std::nullopt;
  return wire::TerminalSize{static_cast<uint16_t>(info.srWindow.Bottom - info.srWindow.Top + 1),
                            static_cast<uint16_t>(info.srWindow.Right - info.srWindow.Left + 1)};
}

void FillIdentity(wire::Opening& opening, wire::Claims& claims) {
  wchar_t name[512];
  DWORD size = 512;
  if (::GetUserNameW(name, &size)) {
    if (Result<std::string> narrow = Narrow(name); narrow.ok()) opening.windows_user = *narrow;
  }
  HANDLE token = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token)) {
    const UniqueHandle owned(token);
    alignas(TOKEN_USER) char memory[512];
    DWORD used = 0;
    wchar_t* text = nullptr;
    if (::GetTokenInformation(token, TokenUser, memory, sizeof memory, &used) &&
        ::ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(memory)->User.Sid, &text)) {
      if (Result<std::string> narrow = Narrow(text); narrow.ok()) opening.windows_sid = *narrow;
      ::LocalFree(text);
    }
  }
  wchar_t path[4096];
  if (::GetModuleFileNameW(nullptr, path, 4096) != 0) {
    if (Result<std::string> narrow = Narrow(path); narrow.ok()) opening.client_path = *narrow;
  }
  claims.windows_user = opening.windows_user;
  claims.windows_sid = opening.windows_sid;
}

class Remote : private wire::Receiver {
 public:
  Remote(const client::Options& options, wire::Request request, std::unique_ptr<RelayProcess> relay,
         bool audit_required)
      : options_(options), request_(std::move(request)), relay_(std::move(relay)), audit_required_(audit_required) {}
  Result<RemoteEnd> Run();

 private:
  Result<void> OnHello(std::string_view json) override {
    MXC_TRY(wire::AgreeOn(MXC_TRY(wire::ReadHello(json)), wire::LeastProtocolFor(request_)));
    return {};
  }
  Result<void> OnMessage(std::string_view json) override;
  void OnData(uint32_t stream, std::string_view bytes) override { WriterOf(stream).Put(bytes); }
  void OnEnd(uint32_t) override {}
  void OnReset(uint32_t) override { input_open_ = false; }
  void OnBye() override { bye_ = true; }

  Writer& WriterOf(uint32_t stream) { return stream == request_.streams.output ? *out_ : *error_; }
  bool has_streams() const { return request_.streams.output != 0; }
  void Handle(Event event);
  void Interrupt(bool close);
  void SendInput();
  void Ask(wire::Operation operation, int signal, std::optional<wire::TerminalSize> size = {});
  Result<void> Receive(std::string_view bytes);
  void LookAtSize();
  void Flush();
  bool Done();
  void Note(audit::Kind kind, const std::string& reason, std::optional<int> exit_code);

  const client::Options& options_;
  wire::Request request_;
  std::unique_ptr<RelayProcess> relay_;
  const bool audit_required_;
  std::thread relay_reader_;
  wire::Multiplexer mux_{*this};
  std::unique_ptr<Writer> out_, error_;
  Reader reader_;
  std::string typed_;
  bool input_open_ = false, input_ended_ = false;
  RemoteEnd end_;
  std::optional<Error> failure_;
  uint32_t program_ = 0, last_request_ = 1;
  bool log_failed_ = false, replied_ = false, ended_ = false, bye_ = false, gone_ = false, unheard_ = false;
  std::chrono::steady_clock::time_point last_interrupt_{};
};

// A log that can't be written is told of, and holds nothing up, as the distribution's has it all, too; unless the machine's
// policy wants one here.
void Remote::Note(audit::Kind kind, const std::string& reason, std::optional<int> exit_code) {
  audit::Event event;
  event.kind = kind;
  event.session = request_.session;
  event.run = options_.name;
  event.claimed_agent = request_.claims.agent;
  event.claimed_tool_call = request_.claims.tool_call;
  event.claimed_windows_user = request_.claims.windows_user;
  event.claimed_windows_sid = request_.claims.windows_sid;
  event.what = wire::OperationName(request_.operation);
  event.reason = reason;
  event.exit_code = exit_code;
  Result<void> written = AppendAudit(std::move(event));
  if (written.ok()) return;
  if (audit_required_) {
    if (!failure_)
      failure_ = std::move(written).error().WithContext("the machine's policy wants an audit (AuditLevel)");
    ended_ = true;
  } else if (!std::exchange(log_failed_, true)) {
    Output(Output::Stream::kError).Write("mxc: warning: " + written.error().Describe() + "\n");
  }
}

Result<void> Remote::OnMessage(std::string_view json) {
  wire::FromServer message = MXC_TRY(wire::ReadFromServer(json));
  if (message.reply && message.reply->id <= 1) {
    if (message.reply->error) {
      failure_ = message.reply->error;
      ended_ = true;
      return {};
    }
    replied_ = true;
    program_ = message.reply->program;
    if (!message.reply->session.empty()) request_.session = message.reply->session;
    Note(audit::Kind::kStart, "", std::nullopt);
    if (!has_streams()) {
      end_.text = client::ReplyText(options_, *message.reply);
      ended_ = true;
    }
  }
  if (message.exited && (program_ == 0 || message.exited->program == program_)) {
    end_.exit_code = message.exited->exit_code;
    end_.error = std::move(message.exited->error);
    if (options_.report && !message.exited->report.empty()) end_.text = std::move(message.exited->report);
    ended_ = true;
  }
  if (message.detached && message.detached->program == program_) {
    failure_ = Error(Code::kRefused, "another client has attached to the program; it goes on");
    ended_ = true;
  }
  return {};
}

void Remote::Ask(wire::Operation operation, int signal, std::optional<wire::TerminalSize> size) {
  if (!replied_ || ended_ || program_ == 0) return;
  const wire::Request request = client::FurtherRequest(request_, ++last_request_, program_, operation, signal, size);
  mux_.SendMessage(wire::WriteRequest(request));
}

void Remote::Interrupt(bool close) {
  if (!replied_) {
    failure_ = Error(Code::kRefused, "interrupted before the program ran");
    ended_ = true;
    return;
  }
  if (close) return Ask(wire::Operation::kSignal, kSigTerm);
  const auto now = std::chrono::steady_clock::now();
  const bool again =
      last_interrupt_ != std::chrono::steady_clock::time_point{} && now - last_interrupt_ < kSecondInterrupt;
  last_interrupt_ = now;
  Ask(wire::Operation::kSignal, again ? kSigKill : kSigInt);
}

void Remote::SendInput() {
  if (!replied_ || (typed_.empty() && !input_ended_)) return;
  if (!input_open_) {
    typed_.clear();
    return;
  }
  const bool had = !typed_.empty();
  typed_.erase(0, mux_.Write(request_.streams.input, typed_));
  if (!typed_.empty()) return;
  if (input_ended_) {
    mux_.End(request_.streams.input);
    input_open_ = false;
  } else if (had) {
    reader_.Next();
  }
}

void Remote::Handle(Event event) {
  switch (event.kind) {
    case Event::Kind::kRelay:
      if (event.bytes.empty()) {
        gone_ = true;
      } else if (Result<void> taken = Receive(event.bytes); !taken.ok() && !failure_) {
        failure_ = std::move(taken).error();
        ended_ = gone_ = true;
      }
      break;
    case Event::Kind::kInput:
      if (event.bytes.empty()) input_ended_ = true;
      typed_ += event.bytes;
      break;
    case Event::Kind::kWritten:
      mux_.Consumed(event.stream == 1 ? request_.streams.output : request_.streams.error, event.size);
      break;
    case Event::Kind::kUnwanted:
      mux_.Reset(event.stream == 1 ? request_.streams.output : request_.streams.error);
      break;
    case Event::Kind::kInterrupt:
    case Event::Kind::kClose:
      Interrupt(event.kind == Event::Kind::kClose);
      break;
  }
  SendInput();
  Flush();
}

// All of it, though the multiplexer takes a turn at a time.
Result<void> Remote::Receive(std::string_view bytes) {
  MXC_TRY(mux_.Receive(bytes));
  while (mux_.stalled()) {
    Flush();
    MXC_TRY(mux_.Receive(""));
  }
  return {};
}

void Remote::LookAtSize() {
  const std::optional<wire::TerminalSize> now = ConsoleSize();
  if (!now || !request_.terminal || *now == *request_.terminal || !replied_) return;
  request_.terminal = now;
  Ask(wire::Operation::kResize, 0, now);
  Flush();
}

void Remote::Flush() {
  const std::string_view pending = mux_.Pending();
  if (pending.empty()) return;
  // The relay may be gone while its last words are still to be read: only the end of those is the end.
  if (!unheard_) unheard_ = !relay_->Write(pending);
  mux_.Sent(pending.size());
}

bool Remote::Done() {
  if (gone_) return true;
  return ended_ && (!out_ || out_->Idle()) && (!error_ || error_->Idle());
}

Result<RemoteEnd> Remote::Run() {
  std::optional<RawConsole> raw;
  if (has_streams()) {
    if (request_.streams.input != 0) mux_.OpenWriter(request_.streams.input);
    mux_.OpenReader(request_.streams.output);
    mux_.OpenReader(request_.streams.error);
    out_ = std::make_unique<Writer>(1, Output::Stream::kOut);
    error_ = std::make_unique<Writer>(2, Output::Stream::kError);
    input_open_ = request_.streams.input != 0;
    if (request_.terminal) raw.emplace();
    if (input_open_) reader_.Start();
  }
  ::SetConsoleCtrlHandler(OnControl, TRUE);
  mux_.SendHello(
      wire::WriteHello({.least = wire::LeastProtocolFor(request_), .program = std::string("mxc.exe ") + kVersion}));
  mux_.SendMessage(wire::WriteRequest(request_));
  Flush();
  relay_reader_ = std::thread([relay = relay_.get()] {
    for (;;) {
      std::string bytes = relay->Read();
      const bool last = bytes.empty();
      Queue().Put({Event::Kind::kRelay, std::move(bytes)});
      if (last) return;
    }
  });
  auto looked = std::chrono::steady_clock::now();
  while (!Done()) {
    if (std::optional<Event> event = Queue().Take(kLook)) Handle(*std::move(event));
    if (const auto now = std::chrono::steady_clock::now(); now - looked >= kLook) {
      looked = now;
      LookAtSize();
    }
  }
  mux_.SendBye();
  if (!gone_) Flush();
  if (out_) out_->End();
  if (error_) error_->End();
  // They put the console's mode back.
  out_.reset();
  error_.reset();
  if (!ended_ && !failure_) {
    failure_ = Error(Code::kSystem, "the connection to mxcd ended before the program did")
                   .WithHint("was the distribution stopped? See /var/log/mxc/audit.jsonl in it");
  }
  relay_->CloseInput();
  if (failure_) {
    Note(audit::Kind::kRefusal, failure_->Describe(), std::nullopt);
  } else if (has_streams()) {
    Note(audit::Kind::kEnd, "", end_.exit_code);
  }
  if (failure_) return *std::move(failure_);
  return std::move(end_);
}

}  // namespace

Result<RemoteEnd> RemoteCommand(const client::Options& options, client::Host& host, const ManagedPolicy& managed,
                                HostSockets& sockets) {
  const std::string distribution = MXC_TRY(DistributionFor(options.distribution, managed));
  // The folder of Windows means nothing there, and neither does its environment: the distribution's user has his own.
  wire::Request request = MXC_TRY(client::RemoteRequest(options, host, {}, ConsoleSize(), managed.floors));
  wire::Opening opening;
  opening.policy_digest = managed.digest;
  opening.user = options.user;
  FillIdentity(opening, request.claims);
  std::unique_ptr<RelayProcess> relay =
      MXC_TRY(RelayProcess::Start({distribution, options.user, managed.hvsocket_required}, opening, sockets));
  if (relay->turned_back()) {
    Output(Output::Stream::kError)
        .Write("mxc: warning: " + relay->turned_back()->Describe() + "; going by wsl.exe's pipes\n");
  }
  // Its threads may hang in a read, so nobody joins them; the process ends with its main function. Nor are they detached: of
  // a hundred threads that are detached at once, mingw's library loses some before they run.
  static Remote* remote = nullptr;
  remote = new Remote(options, std::move(request), std::move(relay), managed.audit_required);
  return remote->Run();
}

}  // namespace mxc::windows
