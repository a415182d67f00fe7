// The audit's lines: one JSON object each, numbered and chained, so that a line that is changed, left out or put elsewhere shows.
// docs/audit.md is the published form. No line holds environment values, a policy's text or arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::audit {

enum class Kind : uint8_t {
  kBegin,    // the log's writer started; lines before it are of another one
  kStart,    // a sandbox stands
  kProgram,  // a program of a session started or ended
  kEnd,      // a sandbox is gone
  kRefusal,  // what was asked for was not done
  kLost,     // lines that could not be written, or were torn
};

struct Event {
  Kind kind = Kind::kBegin;
  int64_t unix_us = 0;
  std::string session;        // mxcd's id of the sandbox
  std::string run;            // the client's label
  std::string policy_digest;  // "sha256:…"
  std::optional<uint32_t> uid;
  std::optional<uint32_t> own_uid;  // as which the sandbox runs, where that is not the caller's
  // As the caller says: nothing was decided by them.
  std::string claimed_agent, claimed_tool_call, claimed_windows_user, claimed_windows_sid;
  std::string what;    // the operation, the program's name
  std::string reason;  // of a refusal or an end
  std::optional<int32_t> exit_code;
  uint64_t denied = 0;  // refusals that the sandbox counted
  std::string denials;  // JSON list of them, as far as it fits
  uint64_t lost = 0;    // kLost
};

// What the next line builds on.
struct Chain {
  uint64_t sequence = 0;  // of the last line; 0: there is none
  std::string hash;       // of the last line, hexadecimal; "": there is none
};

// The line, with its line's end; the chain goes on by it. Texts are escaped: a terminal may show the line as it is.
std::string WriteLine(const Event& event, Chain& chain);

// BLAKE2b-256 of a line without its end, hexadecimal.
std::string HashOf(std::string_view line);

// Sequence and hash of one line. Error (kInvalid): it is none of ours.
Result<Chain> ReadChain(std::string_view line);

// Checks whole lines one behind the other, the first of which follows `before` (a fresh log: Chain{}; nullptr: whatever it says).
// Returns the chain's end. Error (kInvalid): the number of the first line that doesn't fit (from 1) and why.
Result<Chain> VerifyChain(std::string_view text, const Chain* before);

}  // namespace mxc::audit
