#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "linux_runtime/daemon/session_process.h"
#include "shared/oci/strict_json.h"

namespace mxc::daemon {
namespace {

constexpr std::chrono::milliseconds kKeepAlive{20'000};
constexpr size_t kMostPrograms = 256;  // with those that are over and not forgotten

}  // namespace

Client& Session::AddClient(std::unique_ptr<transport::Connection> connection) {
  Client& client = clients_.emplace_back();
  client.connection = std::move(connection);
  Client* const self = &client;
  client.connection->KeepAlive(kKeepAlive);
  client.connection->Listen({
      .on_message = [this, self](std::string_view json) -> Result<void> {
        wire::Multiplexer& mux = self->connection->mux();
        Result<wire::Request> request = wire::ReadRequest(json);
        if (!request.ok()) {
          Send(*self->connection, wire::FailureOf({}, request.error()));
          return std::move(request).error();
        }
        if (Result<void> handled = Handle(*self, *request); !handled.ok()) {
          mux.SendMessage(wire::WriteReply(wire::FailureOf(*request, handled.error())));
        }
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
            // One that is done is gone afterwards.
            for (auto reading = readings_.begin(); reading != readings_.end();) {
              Program& program = **reading++;
              if (program.client() == self->connection.get()) program.OnProgress();
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
  readings_.remove_if([&](const auto& one) { return one->client() == client->connection.get(); });
  // The connection is still on the stack: it goes once the loop is back.
  const auto taken = std::find_if(clients_.begin(), clients_.end(), [&](const Client& one) { return &one == client; });
  if (taken == clients_.end()) return;
  if (loop_ == nullptr) return gone_.splice(gone_.begin(), clients_, taken);
  auto kept = std::make_shared<std::list<Client>>();
  kept->splice(kept->begin(), clients_, taken);
  if (over_ && clients_.empty()) loop_->Stop();
  loop_->After(std::chrono::milliseconds(0), [kept] { kept->clear(); });
  if (!over_) LookAtIdleness();
}

// Whoever had the program's streams has them no more: what still comes on them is late.
void Session::ReleaseStreams(Client& client, const Program& program) {
  wire::Multiplexer& mux = client.connection->mux();
  for (auto stream = client.streams.begin(); stream != client.streams.end();) {
    if (stream->second != &program) {
      ++stream;
      continue;
    }
    mux.Reset(stream->first);
    mux.End(stream->first);
    stream = client.streams.erase(stream);
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
  if (!numbers.empty() && !mux.CanOpen(numbers.begin()->first, numbers.size())) return false;
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
      ReleaseStreams(*client, *self);
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

Result<void> Session::AttachTo(Client& client, const wire::Request& request) {
  Program* program = Find(request.program);
  if (program == nullptr && request.program == 0 && !programs_.empty()) program = programs_.back().get();
  if (program == nullptr)
    return Error(Code::kNotFound, "no program of this session has the number " + std::to_string(request.program));
  if (transport::Connection* before = program->client(); before != nullptr) {
    for (Client& other : clients_) {
      if (other.connection.get() != before) continue;
      ReleaseStreams(other, *program);
    }
    before->mux().SendMessage(wire::WriteDetached({program->id()}));
    program->SetClient(nullptr, {});
    before->Flush();
  }
  wire::Reply reply = wire::ReplyTo(request);
  reply.session = start_.id;
  reply.program = program->id();
  client.connection->mux().SendMessage(wire::WriteReply(reply));
  if (!OpenStreams(client, *program, request.streams)) {
    return Error(Code::kInvalid, "request/streams: numbers have to rise from stream to stream");
  }
  if (request.terminal) program->Resize(*request.terminal);
  return {};
}

Result<void> Session::SendLogs(Client& client, const wire::Request& request) {
  Program* program = Find(request.program);
  if (program == nullptr && request.program == 0 && !programs_.empty()) program = programs_.back().get();
  if (program == nullptr) {
    return Error(Code::kNotFound, "no program of this session has the number " + std::to_string(request.program));
  }
  wire::Reply reply = wire::ReplyTo(request);
  reply.session = start_.id;
  reply.program = program->id();
  client.connection->mux().SendMessage(wire::WriteReply(reply));
  wire::Exited exited;
  exited.program = program->id();
  exited.exit_code = 0;
  exited.how = program->end() ? "ended" : "running";
  if (program->lost() != 0) {
    exited.warnings.push_back(std::to_string(program->lost()) +
                              " bytes before these were dropped while nobody was attached");
  }
  Program& reading = *readings_.emplace_back(program->Copy());
  Client* const reader = &client;
  reading.on_drained = [this, reader, &reading, exited] {
    reader->connection->mux().SendMessage(wire::WriteExited(exited));
    reader->connection->Flush();
    ReleaseStreams(*reader, reading);
    // This is one of its functions: it goes once the loop is back.
    const auto found =
        std::find_if(readings_.begin(), readings_.end(), [&](const auto& one) { return one.get() == &reading; });
    auto done = std::make_shared<std::list<std::unique_ptr<Program>>>();
    done->splice(done->begin(), readings_, found);
    if (loop_ != nullptr) loop_->After(std::chrono::milliseconds(0), [done] { done->clear(); });
  };
  if (!OpenStreams(client, reading, {0, request.streams.output, request.streams.error})) {
    readings_.pop_back();
    return Error(Code::kInvalid, "request/streams: numbers have to rise from stream to stream");
  }
  return {};
}

Result<void> Session::Handle(Client& client, const wire::Request& request) {
  wire::Reply reply = wire::ReplyTo(request);
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
        if (request.exec->clear_env) break;
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
    case wire::Operation::kLogs:
      return SendLogs(client, request);
    case wire::Operation::kDetach: {
      Program* program = Find(request.program);
      if (program == nullptr || program->client() != client.connection.get())
        return Error(Code::kNotFound, "this client has no such program");
      if (one_shot()) return Error(Code::kRefused, "this sandbox ends with its client");
      ReleaseStreams(client, *program);
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

}  // namespace mxc::daemon
