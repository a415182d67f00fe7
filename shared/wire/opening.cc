#include "shared/wire/opening.h"

#include "shared/oci/strict_json.h"
#include "shared/wire/frame.h"

namespace mxc::wire {
namespace {

using Json = nlohmann::json;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<void> Text(const Json& json, const char* name, std::string& value) {
  const auto found = json.find(name);
  if (found == json.end()) return {};
  if (!found->is_string()) return Error(Code::kInvalid, std::string("opening/") + name + ": expected a string");
  value = found->get<std::string>();
  return {};
}

Result<Json> Object(std::string_view text) {
  Json json = MXC_TRY(oci::ParseSortedJson(text, "opening", kMaxOpening));
  if (!json.is_object()) return Error(Code::kInvalid, "opening: expected an object");
  return json;
}

}  // namespace

std::string WriteGreeting(const Greeting& greeting) {
  return Dump(
      {{"program", greeting.program}, {"bootId", greeting.boot_id}, {"vmId", greeting.vm_id}, {"port", greeting.port}});
}

Result<Greeting> ReadGreeting(std::string_view text) {
  const Json json = MXC_TRY(Object(text));
  Greeting greeting;
  MXC_TRY(Text(json, "program", greeting.program));
  MXC_TRY(Text(json, "bootId", greeting.boot_id));
  MXC_TRY(Text(json, "vmId", greeting.vm_id));
  if (const auto port = json.find("port"); port != json.end()) {
    if (!port->is_number_unsigned() || port->get<uint64_t>() > 0x7fffffff) {
      return Error(Code::kInvalid, "opening/port: expected a port of vsock");
    }
    greeting.port = port->get<uint32_t>();
  }
  return greeting;
}

std::string WriteOpening(const Opening& opening) {
  return Dump({{"id", opening.id},
               {"user", opening.user},
               {"windowsUser", opening.windows_user},
               {"windowsSid", opening.windows_sid},
               {"clientPath", opening.client_path},
               {"policyDigest", opening.policy_digest}});
}

Result<Opening> ReadOpening(std::string_view text) {
  const Json json = MXC_TRY(Object(text));
  Opening opening;
  MXC_TRY(Text(json, "id", opening.id));
  MXC_TRY(Text(json, "user", opening.user));
  MXC_TRY(Text(json, "windowsUser", opening.windows_user));
  MXC_TRY(Text(json, "windowsSid", opening.windows_sid));
  MXC_TRY(Text(json, "clientPath", opening.client_path));
  MXC_TRY(Text(json, "policyDigest", opening.policy_digest));
  if (opening.id.size() != 32 || opening.id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Error(Code::kInvalid, "opening/id: expected 32 hexadecimal digits");
  }
  return opening;
}

std::string Part(std::string_view content) {
  std::string part;
  AppendU32(static_cast<uint32_t>(content.size()), part);
  return part.append(content);
}

Result<std::optional<std::string>> TakePart(std::string& bytes) {
  if (bytes.size() < 4) return std::optional<std::string>();
  const uint32_t size = ReadU32(bytes);
  if (size > kMaxOpening) return Error(Code::kInvalid, "a part of the opening is too large");
  if (bytes.size() - 4 < size) return std::optional<std::string>();
  std::optional<std::string> part(bytes.substr(4, size));
  bytes.erase(0, 4 + size_t{size});
  return part;
}

Result<bool> TakeMagic(std::string& bytes, std::string& noise) {
  const size_t at = bytes.find(kRelayMagic);
  if (at == std::string::npos) {
    if (bytes.size() > kMaxNoise) {
      return Error(Code::kInvalid, "what answers is not mxc's relay: it said " + std::to_string(bytes.size()) +
                                       " bytes of something else");
    }
    return false;
  }
  noise = bytes.substr(0, at);
  bytes.erase(0, at + kRelayMagic.size());
  return true;
}

}  // namespace mxc::wire
