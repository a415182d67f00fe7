#include "linux_runtime/sandbox/program_request.h"

#include <algorithm>

#include "linux_runtime/sandbox/program_protocol.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/unix_socket.h"

namespace mxc::sandbox {
namespace {

std::string Bytes(const ProgramRequest& request) { return {reinterpret_cast<const char*>(&request), sizeof request}; }

}  // namespace

std::vector<std::string> ProgramCandidates(const std::string& program, const std::vector<std::string>& env) {
  if (program.find('/') != std::string::npos) return {program};
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& entry : env) {
    if (entry.starts_with("PATH=")) path = entry.substr(5);
  }
  std::vector<std::string> candidates;
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find(':', start), path.size());
    std::string folder = path.substr(start, end - start);
    // An empty entry means the current folder, where whatever the program wrote lies: left out.
    if (folder.starts_with('/')) candidates.push_back(folder + "/" + program);
    start = end + 1;
  }
  return candidates;
}

Result<void> AskForProgram(int socket, const WantedProgram& program, const sys::UniqueFd (&streams)[3]) {
  if (program.argv.empty() || program.argv[0].empty()) return Error(Code::kInvalid, "no program is named");
  std::vector<std::string> candidates = ProgramCandidates(program.argv[0], program.env);
  if (candidates.empty()) candidates.push_back("/" + program.argv[0]);  // a PATH without folders finds nothing
  ProgramRequest request;
  request.call = ServerCall::kRun;
  request.id = program.id;
  request.candidates = static_cast<uint32_t>(candidates.size());
  request.argv = static_cast<uint32_t>(program.argv.size());
  request.env = static_cast<uint32_t>(program.env.size());
  request.rows = program.rows;
  request.columns = program.columns;
  request.cwd_required = program.cwd_required ? 1 : 0;
  request.terminal_streams = program.terminal_streams;
  std::string message = Bytes(request);
  message.append(program.cwd.c_str(), program.cwd.size() + 1);
  for (const std::vector<std::string>* list :
       std::initializer_list<const std::vector<std::string>*>{&candidates, &program.argv, &program.env}) {
    for (const std::string& text : *list) {
      if (text.find('\0') != std::string::npos)
        return Error(Code::kInvalid, "an argument or variable holds a zero byte");
      message.append(text.c_str(), text.size() + 1);
    }
  }
  if (message.size() > kMostRequestBytes ||
      candidates.size() + program.argv.size() + program.env.size() > kMostStrings) {
    return Error(Code::kInvalid, "the command line and environment of " + program.argv[0] + " are " +
                                     std::to_string(message.size()) +
                                     " bytes: in a session at most 131072 bytes and 8192 strings can be sent")
        .WithHint("hand long lists over in a file or on standard input");
  }
  const long sent = sys::SendMessage(socket, message, streams);
  if (sent < 0) return sys::SystemError("ask the sandbox to start " + program.argv[0], static_cast<int>(-sent));
  return {};
}

Result<void> AskForSignal(int socket, uint32_t id, int signal) {
  ProgramRequest request;
  request.call = ServerCall::kSignal;
  request.id = id;
  request.number = signal;
  const long sent = sys::SendMessage(socket, Bytes(request));
  if (sent < 0) return sys::SystemError("pass a signal on to the sandbox", static_cast<int>(-sent));
  return {};
}

}  // namespace mxc::sandbox
