// A session's supervisor from the inside; session.h is its door. session.cc has its life, session_requests.cc what clients ask of it.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "linux_runtime/daemon/admission.h"
#include "linux_runtime/daemon/control.h"
#include "linux_runtime/daemon/program.h"
#include "linux_runtime/daemon/session.h"
#include "linux_runtime/run/run.h"
#include "linux_runtime/sandbox/program_request.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/supervise/supervise.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/transport/connection.h"
#include "shared/base/result.h"
#include "shared/wire/message.h"

namespace mxc::daemon {

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
  void Part(const wire::Reply& reply);
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
  Result<void> SendLogs(Client& client, const wire::Request& request);
  Result<void> AttachTo(Client& client, const wire::Request& request);
  bool OpenStreams(Client& client, Program& program, const wire::StreamNumbers& streams);
  Program* Find(uint32_t id);
  void SendEnd(Program& program);
  static wire::Exited EndOf(const Program& program);
  void ReleaseStreams(Client& client, const Program& program);
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
  supervise::Loop* loop_ = nullptr;
  supervise::Supervisor* supervisor_ = nullptr;
  int server_ = -1;  // the programs' server
  bool ready_ = false, stopping_ = false, over_ = false;
  std::list<Client> clients_;
  std::list<Client> gone_;  // without a loop that could free them later
  std::vector<std::unique_ptr<Program>> programs_;
  std::list<std::unique_ptr<Program>> readings_;  // copies for kLogs, until their clients have them
  uint32_t last_program_ = 0;
  sys::UniqueFd control_;  // to mxcd
  supervise::Loop::TimerId idle_timer_ = 0;
  std::optional<Told> last_told_;
  std::optional<wire::Exited> ended_;  // of kRun, once the sandbox is gone
};

inline void Send(transport::Connection& connection, const wire::Reply& reply) {
  connection.mux().SendMessage(wire::WriteReply(reply));
  connection.Flush();
}

}  // namespace mxc::daemon
