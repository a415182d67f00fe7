#include "shared/audit/event.h"

#include <sodium.h>

#include <algorithm>

#include "shared/base/escape_text.h"
#include "shared/oci/strict_json.h"
#include "shared/report/exit_report.h"

namespace mxc::audit {
namespace {

using Json = oci::StrictJson;

constexpr const char* kKinds[] = {"begin", "start", "program", "end", "refusal", "lost"};
constexpr size_t kHashBytes = 32;
constexpr size_t kMostLine = 1 << 20;
constexpr size_t kMostText = 4096;
constexpr size_t kMostDenials = 64 << 10;

void Add(Json& json, const char* name, const std::string& text) {
  if (text.empty()) return;
  json[name] = EscapeText(std::string_view(text).substr(0, kMostText));
}

bool IsHash(const std::string& text) {
  return text.size() == 2 * kHashBytes && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::string HashOf(std::string_view line) {
  unsigned char hash[kHashBytes];
  crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(line.data()), line.size(), nullptr, 0);
  char text[2 * kHashBytes + 1];
  return sodium_bin2hex(text, sizeof text, hash, sizeof hash);
}

std::string WriteLine(const Event& event, Chain& chain) {
  Json json{{"sequence", chain.sequence + 1},
            {"time", report::IsoTime(event.unix_us)},
            {"kind", kKinds[static_cast<size_t>(event.kind)]}};
  Add(json, "session", event.session);
  Add(json, "run", event.run);
  Add(json, "policyDigest", event.policy_digest);
  if (event.uid) json["uid"] = *event.uid;
  if (event.own_uid) json["ownUid"] = *event.own_uid;
  Json claimed = Json::object();
  Add(claimed, "agent", event.claimed_agent);
  Add(claimed, "toolCall", event.claimed_tool_call);
  Add(claimed, "windowsUser", event.claimed_windows_user);
  Add(claimed, "windowsSid", event.claimed_windows_sid);
  if (!claimed.empty()) json["claimed"] = std::move(claimed);
  Add(json, "what", event.what);
  Add(json, "reason", event.reason);
  if (event.exit_code) json["exitCode"] = *event.exit_code;
  if (event.denied != 0) json["denied"] = event.denied;
  if (!event.denials.empty()) {
    // A supervisor says them, which is its user's; escaped they are up to six times as long.
    Result<nlohmann::json> denials = oci::ParseSortedJson(event.denials, "denials", kMostDenials);
    if (denials.ok() && denials->is_array() && !denials->empty()) json["denials"] = *std::move(denials);
  }
  if (event.lost != 0) json["lost"] = event.lost;
  json["previous"] = chain.hash;
  // Pure ASCII: whatever is in a name, a terminal shows it as it is.
  std::string line = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  chain.sequence += 1;
  chain.hash = HashOf(line);
  return line + "\n";
}

Result<Chain> ReadChain(std::string_view line) {
  const Json json = MXC_TRY(oci::ParseStrictJson(line, "line", kMostLine));
  const Error other(Code::kInvalid, "it is no line of this log");
  if (!json.is_object()) return other;
  const auto sequence = json.find("sequence"), previous = json.find("previous"), kind = json.find("kind");
  if (sequence == json.end() || !sequence->is_number_unsigned() || previous == json.end() || !previous->is_string() ||
      kind == json.end() || !kind->is_string()) {
    return other;
  }
  const std::string before = previous->get<std::string>();
  if (!before.empty() && !IsHash(before)) return other;
  return Chain{sequence->get<uint64_t>(), before};
}

Result<Chain> VerifyChain(std::string_view text, const Chain* before) {
  Chain chain = before != nullptr ? *before : Chain{};
  bool known = before != nullptr;
  for (uint64_t number = 1; !text.empty(); ++number) {
    const std::string at = "line " + std::to_string(number) + ": ";
    const size_t end = text.find('\n');
    if (end == std::string_view::npos)
      return Error(Code::kInvalid, at + "it has no end: it was cut off, or is being written");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    Result<Chain> said = ReadChain(line);
    if (!said.ok()) return Error(Code::kInvalid, at + said.error().Describe());
    if (known && said->sequence != chain.sequence + 1) {
      return Error(Code::kInvalid, at + "its number is " + std::to_string(said->sequence) + ", and " +
                                       std::to_string(chain.sequence + 1) +
                                       " was to come: lines were added or taken out");
    }
    if (known && said->hash != chain.hash) {
      return Error(Code::kInvalid, at + "the line before it is not the one that it was written behind: it was changed");
    }
    chain = {said->sequence, HashOf(line)};
    known = true;
  }
  return chain;
}

}  // namespace mxc::audit
