#include "shared/client/remote.h"

#include <algorithm>

#include "shared/oci/strict_json.h"
#include "shared/policy/explain.h"
#include "shared/wire/frame.h"

namespace mxc::client {
namespace {

wire::Operation OperationOf(Command command) {
  switch (command) {
    case Command::kProvision:
      return wire::Operation::kProvision;
    case Command::kStart:
      return wire::Operation::kStart;
    case Command::kExec:
      return wire::Operation::kExec;
    case Command::kAttach:
      return wire::Operation::kAttach;
    case Command::kStop:
      return wire::Operation::kStop;
    case Command::kDeprovision:
      return wire::Operation::kDeprovision;
    case Command::kList:
      return wire::Operation::kList;
    case Command::kInspect:
      return wire::Operation::kInspect;
    case Command::kLogs:
      return wire::Operation::kLogs;
    case Command::kPlan:
      return wire::Operation::kPlan;
    case Command::kDoctor:
      return wire::Operation::kFacts;
    default:
      return wire::Operation::kRun;
  }
}

Result<wire::PolicyPart> PolicyOf(const Options& options, Host& host, const RemoteCaller& caller,
                                  const std::vector<NamedText>& floors) {
  wire::PolicyPart policy;
  if (options.policy) {
    policy.text = MXC_TRY_AS("read the policy", host.ReadFile(*options.policy));
    policy.source = *options.policy == "-" ? "standard input" : *options.policy;
  }
  if (options.spec) {
    policy.spec = MXC_TRY_AS("read the spec", host.ReadFile(*options.spec));
    policy.source = *options.spec == "-" ? "standard input" : *options.spec;
  }
  for (auto& [name, text] : floors) policy.floors.push_back({name, text});
  policy.profile = options.profile.value_or("");
  policy.name = options.name;
  policy.argv = options.argv;
  policy.cwd = caller.cwd;
  policy.env = caller.env;
  policy.report = options.report.has_value();
  policy.idle_timeout_s = options.idle_timeout_s;
  policy.lifetime_s = options.lifetime_s;
  return policy;
}

Result<wire::ProgramPart> ProgramOf(const Options& options) {
  wire::ProgramPart program;
  program.argv = options.argv;
  program.clear_env = options.clear_env;
  program.cwd = options.cwd;
  program.timeout_ms = options.timeout_ms;
  program.detached = options.detach;
  for (const std::string& entry : options.env) {
    const size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Error(Code::kUsage, "--env " + entry + ": expected NAME=VALUE");
    }
    program.env[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return program;
}

}  // namespace

bool IsRemote(const Options& options) {
  switch (options.command) {
    case Command::kProvision:
    case Command::kStart:
    case Command::kExec:
    case Command::kAttach:
    case Command::kStop:
    case Command::kDeprovision:
    case Command::kList:
    case Command::kInspect:
    case Command::kLogs:
      return true;
    case Command::kDoctor:
      return options.daemon && options.facts;
    default:
      return options.daemon && (options.command == Command::kRun || options.command == Command::kPlan);
  }
}

Result<wire::Request> RemoteRequest(const Options& options, Host& host, const RemoteCaller& caller,
                                    const std::optional<wire::TerminalSize>& terminal,
                                    const std::vector<NamedText>& floors) {
  wire::Request request;
  request.id = 1;
  request.operation = OperationOf(options.command);
  request.session = options.session;
  request.program = options.program;
  request.claims.agent = options.agent;
  request.claims.tool_call = options.tool_call;
  switch (request.operation) {
    case wire::Operation::kRun:
    case wire::Operation::kPlan:
    case wire::Operation::kFacts:
    case wire::Operation::kProvision:
      request.policy = MXC_TRY(PolicyOf(options, host, caller, floors));
      break;
    case wire::Operation::kExec:
      request.exec = MXC_TRY(ProgramOf(options));
      break;
    default:
      break;
  }
  const bool streams = request.operation == wire::Operation::kRun || request.operation == wire::Operation::kAttach ||
                       (request.operation == wire::Operation::kExec && !options.detach);
  if (streams) {
    request.streams = kRemoteStreams;
    request.terminal = terminal;
  } else if (request.operation == wire::Operation::kLogs) {
    request.streams = {0, kRemoteStreams.output, kRemoteStreams.error};
  }
  return request;
}

wire::Request FurtherRequest(const wire::Request& first, uint32_t id, uint32_t program, wire::Operation operation,
                             int signal, const std::optional<wire::TerminalSize>& size) {
  wire::Request request;
  request.id = id;
  request.operation = operation;
  request.session = first.session;
  request.program = program;
  request.signal = signal;
  request.terminal = size;
  return request;
}

std::string ReplyText(const Options& options, const wire::Reply& reply) {
  switch (options.command) {
    case Command::kProvision:
      return reply.session + "\n";
    case Command::kExec:
      return options.detach ? std::to_string(reply.program) + "\n" : "";
    case Command::kInspect:
      return reply.text + "\n";
    case Command::kPlan:
    case Command::kDoctor:
      return reply.text;
    case Command::kList:
      break;
    default:
      return "";
  }
  if (options.json) return reply.text + "\n";
  Result<oci::StrictJson> list = oci::ParseStrictJson(reply.text, "mxcd's answer", wire::kMaxMessage);
  if (!list.ok() || !list->is_array()) return reply.text + "\n";
  std::string text = "SESSION         STATE        UID\n";
  for (const oci::StrictJson& one : *list) {
    auto field = [&](const char* name, size_t width) {
      const auto found = one.find(name);
      std::string value = found == one.end() ? "" : found->is_string() ? found->get<std::string>() : found->dump();
      value = policy::Printable(value);
      value.resize(std::max(width, value.size()), ' ');
      return value + "  ";
    };
    std::string line = field("session", 14) + field("state", 11) + field("uid", 5);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace mxc::client
