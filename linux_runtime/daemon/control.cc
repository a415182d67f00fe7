#include "linux_runtime/daemon/control.h"

#include <algorithm>
#include <iterator>

#include "shared/oci/strict_json.h"
#include "shared/wire/message.h"

namespace mxc::daemon {
namespace {

constexpr std::string_view kNews[] = {"ready", "failed", "ended", "program"};

}  // namespace

std::string WriteTold(const Told& told) {
  oci::StrictJson json{{"news", kNews[static_cast<size_t>(told.news)]}};
  if (!told.policy_digest.empty()) json["policyDigest"] = told.policy_digest;
  if (told.wants_ids) json["wantsIds"] = true;
  if (told.exit_code) json["exitCode"] = *told.exit_code;
  if (told.news == News::kProgram) {
    json["program"] = told.program;
    json["name"] = told.name;
    json["agent"] = told.claims.agent;
    json["toolCall"] = told.claims.tool_call;
    json["windowsUser"] = told.claims.windows_user;
    json["windowsSid"] = told.claims.windows_sid;
  }
  if (told.news == News::kEnded) {
    json["how"] = told.how;
    json["denied"] = told.denied;
    json["denials"] = told.denials;
  }
  wire::Reply reply;
  reply.error = told.error;
  if (told.error) json["reply"] = wire::WriteReply(reply);
  return json.dump(-1, ' ', false, oci::StrictJson::error_handler_t::replace);
}

// The supervisor runs as its user, who may say anything.
Result<Told> ReadTold(std::string_view text) {
  const nlohmann::json json = MXC_TRY(oci::ParseSortedJson(text, "a supervisor's message", 1 << 20));
  const Error unknown(Code::kInvalid, "a supervisor says something unknown");
  if (!json.is_object()) return unknown;
  Told told;
  std::string reply;
  try {
    const std::string news = json.value("news", "");
    const auto* known = std::find(std::begin(kNews), std::end(kNews), news);
    if (known == std::end(kNews)) return unknown;
    told.news = static_cast<News>(known - std::begin(kNews));
    told.policy_digest = json.value("policyDigest", "");
    told.wants_ids = json.value("wantsIds", false);
    told.how = json.value("how", "");
    if (json.contains("exitCode")) told.exit_code = json.value("exitCode", 0);
    told.program = json.value("program", 0u);
    told.name = json.value("name", "");
    told.claims = {json.value("agent", ""), json.value("toolCall", ""), json.value("windowsUser", ""),
                   json.value("windowsSid", "")};
    told.denied = json.value("denied", uint64_t{0});
    told.denials = json.value("denials", "");
    reply = json.value("reply", "");
  } catch (const nlohmann::json::exception&) {
    return unknown;
  }
  // What a listing or the audit shows of it is no more than it has to be.
  const bool digest = told.policy_digest.size() == 71 && told.policy_digest.starts_with("sha256:") &&
                      told.policy_digest.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
  if (!digest) told.policy_digest.clear();
  for (std::string* field : {&told.how, &told.name, &told.claims.agent, &told.claims.tool_call,
                             &told.claims.windows_user, &told.claims.windows_sid}) {
    if (field->size() > 256) field->resize(256);
  }
  if (!reply.empty()) {
    const wire::FromServer read = MXC_TRY(wire::ReadFromServer(reply));
    if (read.reply) told.error = read.reply->error;
  }
  return told;
}

}  // namespace mxc::daemon
