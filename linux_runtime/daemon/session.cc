#include "linux_runtime/daemon/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/daemon/admission.h"
#include "linux_runtime/daemon/control.h"
#include "linux_runtime/daemon/parcel.h"
#include "linux_runtime/daemon/program.h"
#include "linux_runtime/run/run.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/sandbox/program_request.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/supervise/outcome.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"
#include "linux_runtime/transport/connection.h"
#include "shared/oci/strict_json.h"

namespace mxc::daemon {
namespace {

using supervise::Loop;

constexpr std::chrono::milliseconds kStopGrace{5000};
constexpr std::chrono::milliseconds kKeepAlive{20'000};
constexpr size_t kMostPrograms = 256;  // with those that are over and not forgotten
constexpr size_t kMostClients = 64;
constexpr uint32_t kOwnProgram = 1;  // of kRun

// A connection and the programs whose streams it has.
struct Client {
  std::unique_ptr<transport::Connection> connection;
  std::map<uint32_t, Program*> streams;
};

class Session {
 public:
  explicit Session(SessionStart start) : start_(std::move(start)) {}
  int Run();

 private:
  bool one_shot() const { return start_.request.operation == wire::Operation::kRun; }
  void RunSandbox(const Admitted& admitted);
  void TellFailure(const Error& error);
  void Begin(const run::Serving& serving);
  void OnReady();
  void OnRecord(const sandbox::StatusRecord& record);
  void OnServerMessage();
  void OnControl();
  void OnOrder();
  void Take(sys::UniqueFd socket, std::vector<std::string> parts);
  Client& AddClient(std::unique_ptr<transport::Connection> connection);
  void Forget(Client* client);
  Result<void> Handle(Client& client, const wire::Request& request);
  Result<uint32_t> Execute(Client* client, const wire::Request& request, const sandbox::WantedProgram& wanted);
  Result<void> AttachTo(Client& client, const wire::Request& request);
  bool OpenStreams(Client& client, Program& program, const wire::StreamNumbers& streams);
  Program* Find(uint32_t id);
  void SendEnd(Program& program);
  static wire::Exited EndOf(const Program& program);
  void TellProgram(const Program& program, std::optional<int> exit_code);
  void Signal(Program& program, int signal);
  void Stop();
  void EndSession();
  void LookAtIdleness();
  std::string Describe();
  void Tell(const Told& told);
  void Drain();

  SessionStart start_;
  Admitted admitted_;
  Loop* loop_ = nullptr;
  supervise::Supervisor* supervisor_ = nullptr;
  int server_ = -1;  // the programs' server
  bool ready_ = false, stopping_ = false, over_ = false;
  std::list<Client> clients_;
  std::vector<std::unique_ptr<Program>> programs_;
  uint32_t last_program_ = 0;
  sys::UniqueFd control_;  // to mxcd
  Loop::TimerId idle_timer_ = 0;
  std::optional<Told> last_told_;
  std::optional<wire::Exited> ended_;  // of kRun, once the sandbox is gone
};

wire::Reply ReplyTo(const wire::Request& request) {
  wire::Reply reply;
  reply.id = request.id;
  return reply;
}

void Send(transport::Connection& connection, const wire::Reply& reply) {
  connection.mux().SendMessage(wire::WriteReply(reply));
  connection.Flush();
}

// A connection that only waits for its last bytes to be taken.
void FinishAlone(std::unique_ptr<transport::Connection> connection) {
  Loop loop;
  connection->Listen({.on_closed = [&](const std::optional<Error>&) { loop.Stop(); }});
  connection->Attach(loop);
  connection->Finish();
  if (!connection->closed()) (void)loop.Run();
}

int Session::Run() {
  if (start_.client.valid()) {
    auto connection =
        transport::Connection::Resume(std::move(start_.client), {start_.unread, start_.unsent, start_.secret});
    if (!connection) return 125;
    AddClient(std::move(connection));
  }
  const wire::PolicyPart policy = start_.request.policy.value_or(wire::PolicyPart{});
  if (start_.request.operation == wire::Operation::kFacts) {
    wire::Reply reply = ReplyTo(start_.request);
    Result<std::string> facts = FactsFor(policy);
    if (facts.ok()) {
      reply.text = *std::move(facts);
    } else {
      reply.error = facts.error();
    }
    Send(*clients_.front().connection, reply);
    FinishAlone(std::move(clients_.front().connection));
    return 0;
  }
  Result<Admitted> admitted = Admit(policy, !one_shot());
  if (admitted.ok() && start_.request.operation == wire::Operation::kProvision) {
    // What can't be enforced is refused now, not when it is started.
    run::RunOptions options;
    Result<sandbox::Plan> plan = run::PlanSandbox(admitted->spec, admitted->extension, options);
    if (!plan.ok()) admitted = std::move(plan).error();
  }
  if (!admitted.ok()) {
    TellFailure(admitted.error());
    return 125;
  }
  admitted_ = *std::move(admitted);
  if (start_.request.operation == wire::Operation::kProvision) {
    Told told;
    told.policy_digest = admitted_.extension.policy_digest;
    Tell(told);
    return 0;
  }
  RunSandbox(admitted_);
  return 0;
}

void Session::TellFailure(const Error& error) {
  Told told;
  told.news = News::kFailed;
  told.error = error;
  Tell(told);
  for (Client& client : clients_) {
    wire::Reply reply = ReplyTo(start_.request);
    reply.error = error;
    Send(*client.connection, reply);
    FinishAlone(std::move(client.connection));
  }
  clients_.clear();
}

void Session::RunSandbox(const Admitted& admitted) {
  run::RunOptions options;
  const char* runtime = ::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr) options.runtime_directory = runtime;
  options.cache_directory = cli::FilterCacheFolder();
  // The audit counts what was refused, which the network knows only when it is asked to describe itself.
  options.describe = start_.request.policy->report || !admitted.extension.network.empty() ||
                     !admitted.extension.names.empty() || !admitted.extension.ports.empty();
  options.serve = [this](const run::Serving& serving) { Begin(serving); };
  options.on_started = [this] { OnReady(); };
  options.on_program = [this](const sandbox::StatusRecord& record) { OnRecord(record); };
  options.send = [this](int signal) {
    for (const auto& program : programs_) {
      if (!program->end()) Signal(*program, signal);
    }
  };
  // A program's time limit is the session's only where they are one.
  oci::Extension extension = admitted.extension;
  if (!one_shot()) extension.timeout_ms = 0;
  Result<run::RunResult> result = run::RunSandbox(admitted.spec, extension, options);
  loop_ = nullptr;
  supervisor_ = nullptr;
  over_ = true;
  if (!result.ok() || (result->failure && !ready_)) {
    return TellFailure(result.ok() ? *result->failure : result.error());
  }
  report::ExitReport& report = result->report;
  CompleteReport(*start_.request.policy, admitted, report);
  Told told;
  told.news = News::kEnded;
  told.policy_digest = admitted.extension.policy_digest;
  told.how = report::HowName(report.how);
  told.exit_code = report.exit_code;
  oci::StrictJson denials = oci::StrictJson::array();
  for (const report::Denial& denial : report.denials) {
    told.denied += denial.count;
    if (denials.size() < 50)
      denials.push_back(
          {{"source", denial.source}, {"what", denial.what}, {"rule", denial.rule}, {"count", denial.count}});
  }
  told.denials = denials.dump(-1, ' ', true, oci::StrictJson::error_handler_t::replace);
  Tell(told);
  if (one_shot()) {
    wire::Exited& exited = ended_.emplace();
    exited.program = kOwnProgram;
    exited.exit_code = report.exit_code;
    exited.signal = report.signal.value_or(0);
    exited.how = told.how;
    exited.warnings = report.warnings;
    exited.error = result->failure;
    if (start_.request.policy->report) exited.report = report::ToJson(report);
  }
  Drain();
}

// The sandbox is gone; clients still get what its programs have said.
void Session::Drain() {
  Loop loop;
  loop_ = &loop;
  for (const auto& program : programs_) {
    if (program->end()) continue;
    sandbox::StatusRecord killed{};
    killed.kind = sandbox::StatusKind::kExited;
    killed.wait_status = SIGKILL;
    program->Ended(killed);
  }
  for (Client& client : clients_) client.connection->Attach(loop);
  for (const auto& program : programs_) program->Attach(loop);
  for (const auto& program : programs_) {
    if (program->client() != nullptr && program->told) SendEnd(*program);
  }
  for (auto client = clients_.begin(); client != clients_.end();) {
    auto next = std::next(client);
    if (client->streams.empty()) client->connection->Finish();
    client = next;
  }
  if (!clients_.empty()) (void)loop.Run();
  for (const auto& program : programs_) program->DetachLoop();
  loop_ = nullptr;
}

void Session::Begin(const run::Serving& serving) {
  loop_ = &serving.loop;
  supervisor_ = &serving.supervisor;
  server_ = serving.socket;
  loop_->Watch(server_, POLLIN, [this](short) { OnServerMessage(); });
  loop_->Watch(start_.control.get(), POLLIN, [this](short) { OnControl(); });
  for (Client& client : clients_) client.connection->Attach(*loop_);
  const uint32_t life = start_.request.policy->lifetime_s;
  if (life != 0)
    loop_->After(std::chrono::seconds(life), [this] { supervisor_->Kill("the session's lifetime is over"); });
}

void Session::OnReady() {
  ready_ = true;
  Told told;
  told.policy_digest = admitted_.extension.policy_digest;
  Tell(told);
  LookAtIdleness();
  if (!one_shot()) return;
  Client* client = clients_.empty() ? nullptr : &clients_.front();
  if (client == nullptr) return supervisor_->Kill("its client is gone");
  const oci::Process& process = *admitted_.spec.process;
  sandbox::WantedProgram wanted;
  wanted.argv = process.args;
  wanted.env = process.env;
  wanted.cwd = process.cwd.empty() ? "/" : process.cwd;
  Result<uint32_t> started = Execute(client, start_.request, wanted);
  if (!started.ok()) {
    TellFailure(started.error());
    return supervisor_->Kill("its program could not be started");
  }
  wire::Reply reply = ReplyTo(start_.request);
  reply.session = start_.id;
  reply.program = *started;
  Send(*client->connection, reply);
  client->connection->Start();
}

Client& Session::AddClient(std::unique_ptr<transport::Connection> connection) {
  Client& client = clients_.emplace_back();
  client.connection = std::move(connection);
  Client* const self = &client;
  client.connection->KeepAlive(kKeepAlive);
  client.connection->Listen({
      .on_message = [this, self](std::string_view json) -> Result<void> {
        const wire::Request request = MXC_TRY(wire::ReadRequest(json));
        Result<void> handled = Handle(*self, request);
        if (handled.ok()) return {};
        wire::Reply reply = ReplyTo(request);
        reply.error = handled.error();
        self->connection->mux().SendMessage(wire::WriteReply(reply));
        return {};
      },
      .on_data =
          [self](uint32_t stream, std::string_view bytes) {
            if (const auto found = self->streams.find(stream); found != self->streams.end())
              found->second->OnData(bytes);
          },
      .on_end =
          [self](uint32_t stream) {
            if (const auto found = self->streams.find(stream); found != self->streams.end()) found->second->OnEnd();
          },
      .on_reset =
          [self](uint32_t stream) {
            if (const auto found = self->streams.find(stream); found != self->streams.end())
              found->second->OnReset(stream);
          },
      .on_progress =
          [this, self] {
            for (const auto& program : programs_) {
              if (program->client() == self->connection.get()) program->OnProgress();
            }
          },
      .on_closed = [this, self](const std::optional<Error>&) { Forget(self); },
  });
  return client;
}

void Session::Forget(Client* client) {
  for (const auto& program : programs_) {
    if (program->client() != client->connection.get()) continue;
    program->SetClient(nullptr, {});
    if (one_shot() && supervisor_ != nullptr && !over_) supervisor_->Kill("its client is gone");
  }
  // The connection is still on the stack: it goes once the loop is back.
  auto taken = std::find_if(clients_.begin(), clients_.end(), [&](const Client& one) { return &one == client; });
  auto kept = std::make_shared<std::list<Client>>();
  kept->splice(kept->begin(), clients_, taken);
  if (loop_ != nullptr) {
    if (over_ && clients_.empty()) loop_->Stop();
    loop_->After(std::chrono::milliseconds(0), [kept] { kept->clear(); });
    if (!over_) LookAtIdleness();
  }
}

Program* Session::Find(uint32_t id) {
  for (const auto& program : programs_) {
    if (program->id() == id) return program.get();
  }
  return nullptr;
}

bool Session::OpenStreams(Client& client, Program& program, const wire::StreamNumbers& streams) {
  wire::Multiplexer& mux = client.connection->mux();
  // In rising order, whichever way the client numbered them.
  std::map<uint32_t, bool> numbers;  // stream → this side reads
  if (streams.input != 0) numbers[streams.input] = true;
  if (streams.output != 0) numbers[streams.output] = false;
  if (streams.error != 0) numbers[streams.error] = false;
  if (numbers.size() != size_t{streams.input != 0} + size_t{streams.output != 0} + size_t{streams.error != 0})
    return false;
  for (const auto& [number, reads] : numbers) {
    if (!(reads ? mux.OpenReader(number) : mux.OpenWriter(number))) return false;
    client.streams[number] = &program;
  }
  program.SetClient(client.connection.get(), streams);
  return true;
}

Result<uint32_t> Session::Execute(Client* client, const wire::Request& request, const sandbox::WantedProgram& wanted) {
  if (!ready_ || stopping_ || over_) return Error(Code::kRefused, "the session is not running");
  if (programs_.size() >= kMostPrograms) {
    // The oldest that is over and that nobody looks at.
    auto old = std::find_if(programs_.begin(), programs_.end(),
                            [](const auto& program) { return program->end() && program->client() == nullptr; });
    if (old == programs_.end()) {
      return Error(Code::kRefused, "this session has " + std::to_string(kMostPrograms) + " programs already")
          .WithHint("wait until one of them has ended");
    }
    programs_.erase(old);
  }
  const bool terminal = request.terminal.has_value();
  auto program = std::make_unique<Program>(++last_program_, terminal, !one_shot());
  program->name = wanted.argv.empty() ? "" : wanted.argv[0];
  program->cwd = wanted.cwd;
  program->started_unix_s = ::time(nullptr);
  sys::UniqueFd theirs[3];
  MXC_TRY(program->MakeStreams(theirs));
  sandbox::WantedProgram asked = wanted;
  asked.id = program->id();
  if (terminal) {
    asked.terminal_streams = 7;
    asked.rows = request.terminal->rows;
    asked.columns = request.terminal->columns;
  }
  if (client != nullptr && !OpenStreams(*client, *program, request.streams)) {
    return Error(Code::kInvalid, "request/streams: numbers have to rise from stream to stream");
  }
  Program* const self = program.get();
  program->on_drained = [this, self] { SendEnd(*self); };
  Result<void> sent = sandbox::AskForProgram(server_, asked, theirs);
  if (!sent.ok()) {
    if (client != nullptr) {
      for (auto stream = client->streams.begin(); stream != client->streams.end();) {
        stream = stream->second == self ? client->streams.erase(stream) : std::next(stream);
      }
    }
    return std::move(sent).error();
  }
  const uint32_t timeout = request.exec ? request.exec->timeout_ms : 0;
  if (timeout != 0) {
    program->timeout = loop_->After(std::chrono::milliseconds(timeout), [this, self] {
      if (self->end()) return;
      self->timed_out = true;
      Signal(*self, SIGTERM);
      self->timeout = loop_->After(std::chrono::milliseconds(2000), [this, self] { Signal(*self, SIGKILL); });
    });
  }
  programs_.push_back(std::move(program));
  self->Attach(*loop_);
  self->claims = request.claims;
  TellProgram(*self, std::nullopt);
  LookAtIdleness();
  return self->id();
}

// The terminals of programs.
void Session::OnServerMessage() {
  sandbox::Message message;
  std::vector<sys::UniqueFd> descriptors;
  const long size = sys::ReceiveMessage(server_, {reinterpret_cast<char*>(&message), sizeof message}, descriptors);
  if (size == 0) return loop_->Forget(server_);
  if (size != sizeof message || message.word != sandbox::Word::kConsole || descriptors.empty()) return;
  if (Program* program = Find(message.program)) program->SetConsole(std::move(descriptors[0]));
}

void Session::OnRecord(const sandbox::StatusRecord& record) {
  Program* program = Find(record.program);
  if (program == nullptr) return;
  switch (record.kind) {
    case sandbox::StatusKind::kStarted:
      return;
    case sandbox::StatusKind::kFailed: {
      sandbox::Plan named;
      const std::string argv0 = program->name;
      named.argv = {argv0.c_str(), nullptr};
      named.cwd = program->cwd.c_str();
      program->failure = sandbox::StepError(named, record.step, record.error);
      program->failed = record;
      if (one_shot()) supervisor_->EndWith(record);
      // Where a process was made, its end follows.
      if (record.step != sandbox::kStepFork) return;
      break;
    }
    case sandbox::StatusKind::kExited:
      break;
  }
  // A terminal that is on its way comes before the end of its program.
  if (program->terminal()) OnServerMessage();
  loop_->Cancel(std::exchange(program->timeout, 0));
  program->Ended(record);
  if (one_shot()) return supervisor_->EndWith(record);
  TellProgram(*program, EndOf(*program).exit_code);
  if (stopping_) Stop();
  LookAtIdleness();
}

void Session::TellProgram(const Program& program, std::optional<int> exit_code) {
  if (one_shot()) return;
  Told told;
  told.news = News::kProgram;
  told.policy_digest = admitted_.extension.policy_digest;
  told.program = program.id();
  told.name = program.name;
  told.exit_code = exit_code;
  told.claims = program.claims;
  Tell(told);
}

// Of a session's program that is over.
wire::Exited Session::EndOf(const Program& program) {
  wire::Exited exited;
  exited.program = program.id();
  const int status = program.end()->wait_status;
  const bool by_signal = WIFSIGNALED(status);
  exited.how = by_signal ? "signaled" : "exited";
  exited.exit_code = by_signal ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (by_signal) exited.signal = WTERMSIG(status);
  if (program.timed_out) {
    exited.how = "timed-out";
    exited.exit_code = 124;
  }
  if (program.failure) {
    supervise::Outcome outcome;
    outcome.how = supervise::How::kFailedToStart;
    outcome.step = program.failed->step;
    outcome.error = program.failed->error;
    exited.how = "failed-to-start";
    exited.exit_code = outcome.ExitCode();
    exited.error = program.failure;
  }
  if (program.lost() != 0) {
    exited.warnings.push_back(std::to_string(program.lost()) +
                              " bytes of its output were dropped while nobody was attached");
  }
  return exited;
}

void Session::SendEnd(Program& program) {
  program.told = true;
  transport::Connection* connection = program.client();
  if (connection == nullptr || (one_shot() && !ended_)) return;
  connection->mux().SendMessage(wire::WriteExited(one_shot() ? *ended_ : EndOf(program)));
  for (Client& client : clients_) {
    if (client.connection.get() != connection) continue;
    for (auto stream = client.streams.begin(); stream != client.streams.end();) {
      stream = stream->second == &program ? client.streams.erase(stream) : std::next(stream);
    }
    program.SetClient(nullptr, {});
    if (over_) {
      connection->Finish();
    } else {
      connection->Flush();
    }
    return;
  }
}

void Session::Signal(Program& program, int signal) {
  if (Result<void> sent = sandbox::AskForSignal(server_, program.id(), signal); !sent.ok()) {
    // The queue is full because the server hangs; what has to end ends with the sandbox.
    if (signal == SIGKILL && supervisor_ != nullptr) supervisor_->Kill("it takes no signals");
  }
}

Result<void> Session::AttachTo(Client& client, const wire::Request& request) {
  Program* program = Find(request.program);
  if (program == nullptr && request.program == 0 && !programs_.empty()) program = programs_.back().get();
  if (program == nullptr)
    return Error(Code::kNotFound, "no program of this session has the number " + std::to_string(request.program));
  if (transport::Connection* before = program->client(); before != nullptr) {
    for (Client& other : clients_) {
      if (other.connection.get() != before) continue;
      for (auto stream = other.streams.begin(); stream != other.streams.end();) {
        stream = stream->second == program ? other.streams.erase(stream) : std::next(stream);
      }
    }
    before->mux().SendMessage(wire::WriteDetached({program->id()}));
    program->SetClient(nullptr, {});
    before->Flush();
  }
  wire::Reply reply = ReplyTo(request);
  reply.session = start_.id;
  reply.program = program->id();
  client.connection->mux().SendMessage(wire::WriteReply(reply));
  if (!OpenStreams(client, *program, request.streams)) {
    return Error(Code::kInvalid, "request/streams: numbers have to rise from stream to stream");
  }
  if (request.terminal) program->Resize(*request.terminal);
  return {};
}

Result<void> Session::Handle(Client& client, const wire::Request& request) {
  wire::Reply reply = ReplyTo(request);
  reply.session = start_.id;
  switch (request.operation) {
    case wire::Operation::kExec: {
      if (one_shot()) return Error(Code::kRefused, "this sandbox runs one program and ends with it");
      if (!request.exec) return Error(Code::kInvalid, "request/exec: missing");
      sandbox::WantedProgram wanted;
      const oci::Process& process = *admitted_.spec.process;
      wanted.argv = request.exec->argv;
      wanted.cwd = !request.exec->cwd.empty() ? request.exec->cwd : process.cwd.empty() ? "/" : process.cwd;
      if (!wanted.cwd.starts_with('/')) return Error(Code::kInvalid, "request/exec/cwd: not an absolute path");
      for (const std::string& entry : process.env) {
        if (request.exec->env.count(entry.substr(0, entry.find('='))) == 0) wanted.env.push_back(entry);
      }
      for (const auto& [name, value] : request.exec->env) {
        if (name.empty() || name.find('=') != std::string::npos)
          return Error(Code::kInvalid, "request/exec/env: a name is empty or holds a =");
        wanted.env.emplace_back(name).append("=").append(value);
      }
      reply.program = MXC_TRY(Execute(request.exec->detached ? nullptr : &client, request, wanted));
      break;
    }
    case wire::Operation::kAttach:
      return AttachTo(client, request);
    case wire::Operation::kDetach: {
      Program* program = Find(request.program);
      if (program == nullptr || program->client() != client.connection.get())
        return Error(Code::kNotFound, "this client has no such program");
      if (one_shot()) return Error(Code::kRefused, "this sandbox ends with its client");
      for (auto stream = client.streams.begin(); stream != client.streams.end();) {
        stream = stream->second == program ? client.streams.erase(stream) : std::next(stream);
      }
      program->SetClient(nullptr, {});
      client.connection->mux().SendMessage(wire::WriteDetached({program->id()}));
      break;
    }
    case wire::Operation::kSignal:
    case wire::Operation::kResize: {
      Program* program = Find(request.program);
      if (program == nullptr)
        return Error(Code::kNotFound, "no program of this session has the number " + std::to_string(request.program));
      if (program->end()) break;
      if (request.operation == wire::Operation::kResize) {
        if (request.terminal) program->Resize(*request.terminal);
      } else if (request.signal == 0) {
        return Error(Code::kInvalid, "request/signal: missing");
      } else {
        Signal(*program, request.signal);
      }
      break;
    }
    case wire::Operation::kInspect:
      reply.text = Describe();
      break;
    default:
      return Error(Code::kRefused, "this connection belongs to the session " + start_.id + ", which can't do \"" +
                                       std::string(wire::OperationName(request.operation)) + "\"")
          .WithHint("open another connection for it");
  }
  client.connection->mux().SendMessage(wire::WriteReply(reply));
  return {};
}

std::string Session::Describe() {
  oci::StrictJson json{{"session", start_.id},
                       {"name", start_.request.policy->name},
                       {"state", stopping_ ? "stopping" : "running"},
                       {"supervisor", ::getpid()},
                       {"policy", start_.request.policy->source},
                       {"policyDigest", admitted_.extension.policy_digest},
                       {"profile", admitted_.extension.profile}};
  json["programs"] = oci::StrictJson::array();
  for (const auto& program : programs_) {
    oci::StrictJson one{{"program", program->id()},
                        {"name", program->name},
                        {"startedUnixSeconds", program->started_unix_s},
                        {"attached", program->client() != nullptr},
                        {"terminal", program->terminal()}};
    if (program->end()) {
      one["state"] = "ended";
      one["exitCode"] = EndOf(*program).exit_code;
    } else {
      one["state"] = "running";
    }
    json["programs"].push_back(std::move(one));
  }
  return json.dump(2, ' ', true, oci::StrictJson::error_handler_t::replace);
}

void Session::OnControl() {
  sys::UniqueFd accepted(::accept4(start_.control.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted.valid()) return;
  if (control_.valid()) loop_->Forget(control_.get());
  control_ = std::move(accepted);
  loop_->Watch(control_.get(), POLLIN, [this](short) { OnOrder(); });
  if (last_told_) (void)sys::SendMessage(control_.get(), WriteTold(*last_told_));
}

void Session::OnOrder() {
  char order = 0;
  std::vector<sys::UniqueFd> descriptors;
  const long size = sys::ReceiveMessage(control_.get(), {&order, 1}, descriptors);
  if (size == -EAGAIN || size == -EINTR) return;
  if (size <= 0) {
    loop_->Forget(control_.get());
    control_.reset();
    return;
  }
  if (order == static_cast<char>(Order::kStop)) return Stop();
  if (order != static_cast<char>(Order::kTake) || descriptors.size() != 2) return;
  Result<std::vector<std::string>> parts = UnpackParcel(descriptors[1].get());
  if (parts.ok()) Take(std::move(descriptors[0]), *std::move(parts));
}

void Session::Take(sys::UniqueFd socket, std::vector<std::string> parts) {
  Result<transport::Handover> handover = TakeHandover(parts);
  if (!handover.ok() || parts.size() != 1 || clients_.size() >= kMostClients) return;
  Result<wire::Request> request = wire::ReadRequest(parts[0]);
  auto connection = transport::Connection::Resume(std::move(socket), *std::move(handover));
  if (!request.ok() || !connection) return;
  Client& client = AddClient(std::move(connection));
  Result<void> handled = Handle(client, *request);
  if (!handled.ok()) {
    wire::Reply reply = ReplyTo(*request);
    reply.error = handled.error();
    client.connection->mux().SendMessage(wire::WriteReply(reply));
  }
  client.connection->Attach(*loop_);
  client.connection->Start();
}

void Session::Stop() {
  bool running = false;
  for (const auto& program : programs_) running = running || !program->end();
  if (!running) return EndSession();
  if (std::exchange(stopping_, true)) return;
  for (const auto& program : programs_) {
    if (!program->end()) Signal(*program, SIGTERM);
  }
  loop_->After(kStopGrace, [this] { EndSession(); });
}

void Session::EndSession() {
  stopping_ = true;
  sandbox::StatusRecord clean{};
  clean.kind = sandbox::StatusKind::kExited;
  if (supervisor_ != nullptr) supervisor_->EndWith(clean);
}

void Session::LookAtIdleness() {
  const uint32_t limit = start_.request.policy->idle_timeout_s;
  if (limit == 0 || one_shot() || over_ || loop_ == nullptr) return;
  bool busy = !clients_.empty();
  for (const auto& program : programs_) busy = busy || !program->end();
  loop_->Cancel(std::exchange(idle_timer_, 0));
  if (!busy) idle_timer_ = loop_->After(std::chrono::seconds(limit), [this] { EndSession(); });
}

void Session::Tell(const Told& news) {
  Told told = news;
  told.pid = ::getpid();
  if (told.news != News::kProgram) last_told_ = told;
  // mxcd connects before this process is made; while there is no loop, nobody has accepted it.
  if (!control_.valid()) {
    control_.reset(::accept4(start_.control.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (control_.valid() && loop_ != nullptr) loop_->Watch(control_.get(), POLLIN, [this](short) { OnOrder(); });
  }
  if (control_.valid()) (void)sys::SendMessage(control_.get(), WriteTold(told));
}

}  // namespace

int RunSession(SessionStart start) { return Session(std::move(start)).Run(); }

}  // namespace mxc::daemon
