#include "linux_runtime/compat/request_spec.h"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "shared/policy/document.h"

namespace mxc::compat {
namespace {

using Json = nlohmann::ordered_json;

struct Renamed {
  std::string_view from, to;
};

constexpr Renamed kContainments[] = {{"process", "process"},
                                     {"bubblewrap", "bubblewrap"},
                                     {"lxc", "lxc"},
                                     {"processContainer", "processcontainer"},
                                     {"seatbelt", "seatbelt"},
                                     {"wslc", "wslc"},
                                     {"isolationSession", "isolation_session"}};

class Converter {
 public:
  explicit Converter(const std::string& source) : source_(source) {}

  Result<FromSpec> Convert(Json spec) {
    if (!spec.is_object()) return Wrong("", "expected an object");
    FromSpec from;
    Json& out = out_;
    out["version"] = nullptr;  // stands first
    Json process = Json::object();
    Move(spec, "command", process, "commandLine");
    Move(spec, "workingDirectory", process, "cwd");
    MXC_TRY(Environment(spec, process));
    // Said in every request, also of contracts that have no such field.
    if (MXC_TRY(Bool(spec, "inheritDefaultEnv", false, ""))) process["inheritDefaultEnv"] = true;
    Move(spec, "containerName", out, "containerId");
    MXC_TRY(Containment(spec));
    if (const Json experimental = Take(spec, "experimental"); experimental.is_boolean()) {
      from.experimental = experimental.get<bool>();
    }
    Json policy = Take(spec, "policy");
    if (!policy.is_object()) return Wrong("/policy", "expected an object");
    MXC_TRY(Policy(policy, process));
    MXC_TRY(Empty(spec, ""));
    out["process"] = std::move(process);
    from.config = {source_, out.dump(-1, ' ', false, Json::error_handler_t::replace)};
    return from;
  }

 private:
  Error Wrong(const std::string& pointer, std::string message) const {
    return Error(Code::kInvalid, std::move(message)).WithPosition({source_, 0, 0, pointer});
  }

  // What stood there, which then stands there no more; null for nothing.
  static Json Take(Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) return nullptr;
    Json value = std::move(*found);
    object.erase(found);
    return value;
  }
  static void Move(Json& from, const char* name, Json& to, const char* new_name) {
    if (from.contains(name)) to[new_name] = Take(from, name);
  }
  // Nothing is left that nobody knows.
  Result<void> Empty(const Json& object, const std::string& pointer) const {
    if (object.empty()) return {};
    return Wrong(pointer + "/" + object.begin().key(), "unknown field \"" + object.begin().key() + "\"");
  }
  Result<bool> Bool(Json& object, const char* name, bool otherwise, const std::string& pointer) const {
    if (!object.contains(name)) return otherwise;
    const Json value = Take(object, name);
    if (!value.is_boolean()) return Wrong(pointer + "/" + name, "expected true or false");
    return value.get<bool>();
  }

  Result<void> Environment(Json& spec, Json& process) const {
    if (!spec.contains("environment")) return {};
    const Json variables = Take(spec, "environment");
    if (!variables.is_object()) return Wrong("/environment", "expected an object");
    Json list = Json::array();
    for (const auto& [name, value] : variables.items()) {
      if (!value.is_string()) return Wrong("/environment/" + name, "expected a string");
      list.push_back(name + "=" + value.get<std::string>());
    }
    process["env"] = std::move(list);
    return {};
  }

  // {"type": …, settings…}: the settings are the section of that backend.
  Result<void> Containment(Json& spec) {
    if (!spec.contains("containment")) return {};
    Json containment = Take(spec, "containment");
    if (!containment.is_object()) return Wrong("/containment", "expected an object");
    const Json type = Take(containment, "type");
    for (const Renamed& known : kContainments) {
      if (!type.is_string() || type.get<std::string>() != known.from) continue;
      out_["containment"] = known.to;
      if (!containment.empty()) out_[std::string(known.from)] = std::move(containment);
      return {};
    }
    return Wrong("/containment/type", "unknown containment");
  }

  Result<void> Policy(Json& policy, Json& process) {
    Move(policy, "version", out_, "version");
    Move(policy, "timeoutMs", process, "timeout");
    Move(policy, "telemetry", out_, "telemetry");
    MXC_TRY(Filesystem(policy));
    MXC_TRY(Network(policy));
    MXC_TRY(Ui(policy));
    return Empty(policy, "/policy");
  }

  Result<void> Filesystem(Json& policy) {
    if (!policy.contains("filesystem")) return {};
    Json files = Take(policy, "filesystem");
    if (!files.is_object()) return Wrong("/policy/filesystem", "expected an object");
    if (files.contains("clearPolicyOnExit")) {
      const bool clear = MXC_TRY(Bool(files, "clearPolicyOnExit", true, "/policy/filesystem"));
      out_["lifecycle"] = {{"preservePolicy", !clear}};
    }
    if (!files.empty()) out_["filesystem"] = std::move(files);
    return {};
  }

  // Old words and new ones; the contract refuses them side by side.
  Result<void> Network(Json& policy) {
    if (!policy.contains("network")) return {};
    Json network = Take(policy, "network");
    if (!network.is_object()) return Wrong("/policy/network", "expected an object");
    Move(network, "runtimeConfig", out_, "runtimeConfig");
    if (network.contains("allowOutbound")) {
      const bool allow = MXC_TRY(Bool(network, "allowOutbound", false, "/policy/network"));
      // A list of hosts narrows what is allowed down to it.
      const bool narrowed = network.contains("allowedHosts") && !network["allowedHosts"].empty();
      network["defaultPolicy"] = allow && !narrowed ? "allow" : "block";
    }
    if (!network.empty()) out_["network"] = std::move(network);
    return {};
  }

  Result<void> Ui(Json& policy) {
    if (!policy.contains("ui")) return {};
    Json ui = Take(policy, "ui");
    if (!ui.is_object()) return Wrong("/policy/ui", "expected an object");
    Json out = Json::object();
    out["disable"] = !MXC_TRY(Bool(ui, "allowWindows", false, "/policy/ui"));
    Move(ui, "clipboard", out, "clipboard");
    out["injection"] = MXC_TRY(Bool(ui, "allowInputInjection", false, "/policy/ui"));
    MXC_TRY(Empty(ui, "/policy/ui"));
    out_["ui"] = std::move(out);
    return {};
  }

  const std::string& source_;
  Json out_ = Json::object();
};

}  // namespace

Result<FromSpec> ReadRequestSpec(const Config& request) {
  // Depth, duplicate names and encodings are what every document of ours is checked for.
  MXC_TRY(policy::ParseDocument(request.text, request.source, policy::Format::kJson));
  return Converter(request.source).Convert(Json::parse(request.text, nullptr, false));
}

}  // namespace mxc::compat
