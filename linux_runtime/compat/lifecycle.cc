#include "linux_runtime/compat/lifecycle.h"

#include <stdlib.h>

#include <string_view>
#include <utility>

#include "include/mxc.h"
#include "linux_runtime/cli/run_command.h"
#include "linux_runtime/compat/lxc_request.h"

namespace mxc::compat {
namespace {

using Json = nlohmann::ordered_json;
using policy::Containment;
using policy::Phase;

constexpr std::string_view kWslc = "wslc", kSession = "iso";
// An isolation session has to ask for the network whole; of a sandbox's the way in is shared ports, and those it can't name.
constexpr char kNoWayIn[] = "nothing outside of the sandbox can connect to a program in it";

Position PlaceOf(const policy::StateAwareRequest& request, const std::string& pointer) {
  const auto place = request.policy.positions.find(pointer);
  return place == request.policy.positions.end() ? Position{request.policy.source, 0, 0, pointer} : place->second;
}

std::string_view PrefixOf(const policy::StateAwareRequest& request) {
  return std::string_view(request.sandbox_id).substr(0, request.sandbox_id.find(':'));
}

std::string TokenOf(const policy::StateAwareRequest& request) {
  return request.sandbox_id.substr(request.sandbox_id.find(':') + 1);
}

Result<cli::RemoteEnd> Ask(const client::Options& options, const Config& config, const cli::RemoteHooks& hooks = {}) {
  ConfigHost host(environ, config);
  return cli::RemoteCommand(options, host, hooks);
}

// Whether there is a running sandbox behind the session. Nothing: there is no such session, or mxcd doesn't say.
std::optional<bool> IsRunning(const std::string& session, const Config& config) {
  client::Options options;
  options.command = client::Command::kInspect;
  options.session = session;
  Result<cli::RemoteEnd> end = Ask(options, config);
  if (!end.ok()) return std::nullopt;
  const Json state = Json::parse(end->text, nullptr, false);
  if (!state.is_object() || !state.contains("state")) return std::nullopt;
  return state["state"] == "running";
}

// mxcd's refusals in the words of the contract.
PhaseFailure Told(const policy::StateAwareRequest& request, const Config& config, Error error) {
  int32_t status = MXC_STATUS_BACKEND_ERROR;
  const Code code = error.code();
  if (request.phase == Phase::kProvision) {
    if (code != Code::kSystem && code != Code::kInternal) status = MXC_STATUS_POLICY_VALIDATION;
  } else if (code == Code::kNotFound) {
    status = MXC_STATUS_STALE_ID;
  } else if (code == Code::kRefused) {
    const std::optional<bool> running = IsRunning(TokenOf(request), config);
    if (request.phase == Phase::kStart && running == true) status = MXC_STATUS_ALREADY_STARTED;
    if (request.phase == Phase::kStop && running == false) status = MXC_STATUS_ALREADY_STOPPED;
    if (request.phase == Phase::kExec && running == false) status = MXC_STATUS_NOT_STARTED;
  }
  return {status, std::move(error)};
}

// Nobody there to ask is another failure than his refusal.
std::optional<PhaseFailure> CheckReachable() {
  Result<sys::UniqueFd> socket = cli::ConnectToDaemon();
  if (socket.ok()) return std::nullopt;
  return PhaseFailure{MXC_STATUS_BACKEND_UNAVAILABLE, std::move(socket).error()};
}

PhaseFailure OfAnotherPhase(const policy::StateAwareRequest& request) {
  const std::string found(policy::PhaseName(request.phase));
  return {MXC_STATUS_MALFORMED_REQUEST,
          Error(Code::kInvalid, request.phase == Phase::kExec ? "exec answers with streams, not with a document"
                                                              : "expected the phase exec, found " + found)
              .WithHint("use the function that is for this phase")};
}

// The network of a sandbox is settled when it is provisioned.
std::optional<PhaseFailure> CheckExec(const policy::StateAwareRequest& request) {
  for (const char* section : {"/network", "/runtimeConfig"}) {
    if (!request.policy.positions.contains(section)) continue;
    return PhaseFailure{MXC_STATUS_POLICY_VALIDATION,
                        Error(Code::kUnsupported, "exec can't change the network that the sandbox was provisioned with")
                            .WithHint("leave the section out, and say in provision what may be reached")
                            .WithPosition(PlaceOf(request, section))};
  }
  return std::nullopt;
}

client::Options ExecOptions(const policy::StateAwareRequest& request) {
  const policy::Process& process = *request.policy.process;
  client::Options options;
  options.command = client::Command::kExec;
  options.session = TokenOf(request);
  options.argv = {"sh", "-c", process.command_line};
  options.cwd = process.cwd.value_or("");
  options.timeout_ms = process.timeout_ms;
  if (process.env) {
    options.env = *process.env;
    options.clear_env = !process.inherit_default_env;
  }
  return options;
}

}  // namespace

std::optional<PhaseFailure> ReadPhase(const Config& config, policy::StateAwareRequest& request) {
  Result<policy::StateAwareRequest> read =
      policy::ReadStateAware(config.text, {.source = config.source, .format = policy::Format::kJson});
  if (!read.ok()) return PhaseFailure{MXC_STATUS_MALFORMED_REQUEST, read.error()};
  request = *std::move(read);
  if (Result<void> known = policy::CheckSandboxId(request); !known.ok()) {
    return PhaseFailure{MXC_STATUS_MALFORMED_ID, known.error()};
  }
  const bool provisions = request.phase == Phase::kProvision;
  if (provisions ? request.policy.containment == Containment::kWindowsSandbox : PrefixOf(request) == "wsb") {
    return PhaseFailure{MXC_STATUS_UNSUPPORTED_CONTAINMENT,
                        Error(Code::kUnsupported, "the 'windows_sandbox' backend is not available on Linux")
                            .WithPosition(PlaceOf(request, provisions ? "/containment" : "/sandboxId"))};
  }
  if (!provisions && PrefixOf(request) != kWslc && PrefixOf(request) != kSession) {
    return PhaseFailure{MXC_STATUS_MALFORMED_ID,
                        Error(Code::kInvalid, "no backend's identifiers begin with " + policy::Quote(PrefixOf(request)))
                            .WithHint("give what provision answered")
                            .WithPosition(PlaceOf(request, "/sandboxId"))};
  }
  return std::nullopt;
}

Config PolicyOfProvision(const policy::StateAwareRequest& request, const Config& config) {
  Json from = Json::parse(config.text, nullptr, false), to = Json::object();
  to["version"] = from["version"];
  const bool wslc = request.policy.containment == Containment::kWslc;
  to["containment"] = wslc ? "wslc" : "process";
  for (const char* section : {"filesystem", "network"}) {
    if (from.contains(section)) to[section] = std::move(from[section]);
  }
  if (!wslc) to["network"].erase("ingress");
  if (wslc && from.contains("wslc") && from["wslc"].contains("provision")) {
    to["wslc"] = std::move(from["wslc"]["provision"]);
  }
  return {config.source, to.dump()};
}

std::optional<PhaseFailure> RunPhase(const policy::StateAwareRequest& request, const Config& config, bool check_only,
                                     Json& answer) {
  answer = {{"result", Json::object()}};
  if (request.policy.containment == Containment::kIsolationSession) answer["result"]["warnings"] = {kNoWayIn};
  if (request.phase == Phase::kExec) return check_only ? CheckExec(request) : OfAnotherPhase(request);
  const bool provisions = request.phase == Phase::kProvision;
  const Config& asked = provisions ? PolicyOfProvision(request, config) : config;
  client::Options options;
  if (provisions) {
    options.policy = asked.source;
    options.agent = request.app_id.value_or("");
  } else {
    options.session = TokenOf(request);
  }
  if (check_only) {
    if (!provisions) return std::nullopt;
    ConfigHost host(environ, asked);
    options.command = client::Command::kPlan;
    options.argv = {"true"};  // any program: it is known only when exec asks for one
    Result<std::string> plan = cli::PlanCommand(options, host);
    if (plan.ok()) return std::nullopt;
    return PhaseFailure{MXC_STATUS_POLICY_VALIDATION, plan.error()};
  }
  if (std::optional<PhaseFailure> unreachable = CheckReachable()) return unreachable;
  switch (request.phase) {
    case Phase::kProvision:
      options.command = client::Command::kProvision;
      break;
    case Phase::kStart:
      options.command = client::Command::kStart;
      break;
    case Phase::kStop:
      options.command = client::Command::kStop;
      break;
    default:
      options.command = client::Command::kDeprovision;
      break;
  }
  Result<cli::RemoteEnd> end = Ask(options, asked);
  if (!end.ok()) return Told(request, asked, std::move(end).error());
  if (provisions) {
    std::string session = std::move(end->text);
    while (session.ends_with('\n')) session.pop_back();
    std::string id(request.policy.containment == Containment::kWslc ? kWslc : kSession);
    id.append(":").append(session);
    answer["result"]["sandboxId"] = std::move(id);
  }
  return std::nullopt;
}

std::optional<PhaseFailure> RunExec(const policy::StateAwareRequest& request, const Config& config,
                                    const cli::RemoteHooks& hooks, cli::RemoteEnd& end) {
  if (request.phase != Phase::kExec) return OfAnotherPhase(request);
  if (std::optional<PhaseFailure> wrong = CheckExec(request)) return wrong;
  if (std::optional<PhaseFailure> unreachable = CheckReachable()) return unreachable;
  Result<cli::RemoteEnd> ended = Ask(ExecOptions(request), config, hooks);
  if (!ended.ok()) return Told(request, config, std::move(ended).error());
  end = *std::move(ended);
  return std::nullopt;
}

}  // namespace mxc::compat
