#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/daemon/parcel.h"
#include "linux_runtime/daemon/session_process.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/supervise/outcome.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"
#include "shared/oci/strict_json.h"

namespace mxc::daemon {
namespace {

using supervise::Loop;

constexpr std::chrono::milliseconds kStopGrace{5000};
constexpr uint32_t kOwnProgram = 1;  // of kRun
constexpr size_t kMostClients = 64;

// A connection that only waits for its last bytes to be taken.
void FinishAlone(std::unique_ptr<transport::Connection> connection) {
  Loop loop;
  connection->Listen({.on_closed = [&](const std::optional<Error>&) { loop.Stop(); }});
  connection->Attach(loop);
  connection->Finish();
  if (!connection->closed()) (void)loop.Run();
}

}  // namespace

int Session::Run() {
  if (start_.client.valid()) {
    auto connection =
        transport::Connection::Resume(std::move(start_.client), {start_.unread, start_.unsent, start_.secret});
    if (!connection) return 125;
    AddClient(std::move(connection));
  }
  const wire::PolicyPart policy = start_.request.policy.value_or(wire::PolicyPart{});
  if (start_.request.operation == wire::Operation::kFacts) {
    wire::Reply reply = wire::ReplyTo(start_.request);
    Result<std::string> facts = FactsFor(policy);
    if (facts.ok()) {
      reply.text = *std::move(facts);
    } else {
      reply.error = facts.error();
    }
    Part(reply);
    return 0;
  }
  const bool plans = start_.request.operation == wire::Operation::kPlan;
  Result<Admitted> admitted = Admit(policy, !one_shot() && !plans, start_.own_folder);
  if (admitted.ok() && plans) {
    wire::Reply reply = wire::ReplyTo(start_.request);
    Result<sandbox::Plan> plan = run::PlanSandbox(admitted->spec, admitted->extension, {});
    if (plan.ok()) {
      plan->notes.insert(plan->notes.begin(), admitted->notes.begin(), admitted->notes.end());
      reply.text = sandbox::FormatPlan(*plan);
    } else {
      reply.error = plan.error();
    }
    Part(reply);
    return 0;
  }
  Told told;
  told.wants_ids = admitted.ok() && admitted->extension.own_session && start_.own_folder.empty() && start_.gives_ids &&
                   start_.request.operation == wire::Operation::kProvision;
  if (admitted.ok() && !told.wants_ids && start_.request.operation == wire::Operation::kProvision) {
    // What can't be enforced is refused now, not when it is started.
    run::RunOptions options;
    options.own_session = !start_.own_folder.empty();
    Result<sandbox::Plan> plan = run::PlanSandbox(admitted->spec, admitted->extension, options);
    if (!plan.ok()) admitted = std::move(plan).error();
  }
  if (!admitted.ok()) {
    TellFailure(admitted.error());
    return 125;
  }
  admitted_ = *std::move(admitted);
  if (start_.request.operation == wire::Operation::kProvision) {
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
  Part(wire::FailureOf(start_.request, error));
}

// The last word to all clients. They are this function's own then: one that goes meanwhile is not looked for among the session's.
void Session::Part(const wire::Reply& reply) {
  std::list<Client> clients = std::move(clients_);
  clients_.clear();
  for (Client& client : clients) {
    Send(*client.connection, reply);
    FinishAlone(std::move(client.connection));
  }
}

void Session::RunSandbox(const Admitted& admitted) {
  run::RunOptions options;
  const char* runtime = ::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr) options.runtime_directory = runtime;
  options.cache_directory = cli::FilterCacheFolder();
  options.own_session = !start_.own_folder.empty();
  // The audit counts what was refused, which the network knows only when it is asked to describe itself.
  options.describe = start_.request.policy->report || !admitted.extension.network.empty() ||
                     !admitted.extension.names.empty() || !admitted.extension.ports.empty();
  options.serve = [this](const run::Serving& serving) { Begin(serving); };
  options.on_started = [this] { OnReady(); };
  options.on_program = [this](const sandbox::StatusRecord& record) { OnRecord(record); };
  options.on_ended = [this] {
    for (Client& client : clients_) client.connection->Detach();
    for (const auto& program : programs_) program->DetachLoop();
    for (const auto& reading : readings_) reading->DetachLoop();
    loop_ = nullptr;
    supervisor_ = nullptr;
  };
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
  wire::Reply reply = wire::ReplyTo(start_.request);
  reply.session = start_.id;
  reply.program = *started;
  Send(*client->connection, reply);
  client->connection->Start();
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
    ReleaseStreams(client, program);
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
  if (Result<void> handled = Handle(client, *request); !handled.ok()) {
    client.connection->mux().SendMessage(wire::WriteReply(wire::FailureOf(*request, handled.error())));
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

void Session::Tell(const Told& told) {
  if (told.news != News::kProgram) last_told_ = told;
  // mxcd connects before this process is made; while there is no loop, nobody has accepted it.
  if (!control_.valid()) {
    control_.reset(::accept4(start_.control.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (control_.valid() && loop_ != nullptr) loop_->Watch(control_.get(), POLLIN, [this](short) { OnOrder(); });
  }
  if (control_.valid()) (void)sys::SendMessage(control_.get(), WriteTold(told));
}

int RunSession(SessionStart start) { return Session(std::move(start)).Run(); }

}  // namespace mxc::daemon
