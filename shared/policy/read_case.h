// Tables of policies and what reading them says, for the tests of the readers.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "shared/policy/read.h"

namespace mxc::policy {

struct ReadCase {
  std::string text;
  std::string outcome;  // "ok", or "line:column pointer: message | hint"
};

inline std::string Outcome(const Error& error) {
  REQUIRE(error.position().has_value());
  const Position& position = *error.position();
  CHECK(position.source == "p");
  std::string text = std::to_string(position.line) + ":" + std::to_string(position.column) + " " + position.pointer +
                     ": " + (error.code() == Code::kUnsupported ? "UNSUPPORTED " : "") + error.message();
  if (!error.hint().empty()) text += " | " + error.hint();
  return text;
}

inline std::string ReadOutcome(const std::string& text, bool process_optional = false) {
  const Result<Policy> policy = ReadPolicy(text, {.source = "p", .process_optional = process_optional});
  return policy.ok() ? "ok" : Outcome(policy.error());
}

inline void CheckReads(const std::vector<ReadCase>& cases) {
  for (const ReadCase& one : cases) {
    CAPTURE(one.text);
    CHECK(ReadOutcome(one.text) == one.outcome);
  }
}

// A policy that is complete but for one more root member, which starts at line 2, column 1.
inline std::string With(const std::string& member) {
  return "{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"x\"},\n" + member + "}";
}

}  // namespace mxc::policy
