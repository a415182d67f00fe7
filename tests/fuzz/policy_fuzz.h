// What both fuzzers of policies check.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "shared/policy/contract_support.h"
#include "shared/policy/read.h"
#include "shared/policy/write.h"

namespace mxc::policy {

inline void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

inline void FuzzPolicy(std::string_view text, Format format) {
  const Result<Policy> policy =
      ReadPolicy(text, {.source = "p", .format = format, .process_optional = text.size() % 2 == 0});
  if (!policy.ok()) {
    const Error& error = policy.error();
    Expect(!error.message().empty(), "an error has a message");
    Expect(error.code() == Code::kInvalid || error.code() == Code::kUnsupported, "an error is the document's");
    Expect(error.position().has_value(), "an error has a position");
    Expect(text.size() > Limits{}.bytes || (error.position()->line > 0 && error.position()->column > 0),
           "an error has line and column");
    return;
  }
  (void)RefuseUnbuilt(*policy);
  Expect(policy->positions.contains("/version"), "values have positions");
  const std::string written = WritePolicy(*policy);
  const Result<Policy> again = ReadPolicy(written, {.source = "p", .format = Format::kJson, .process_optional = true});
  Expect(again.ok(), "what was written can be read");
  Expect(SamePolicy(*policy, *again), "what was written says the same");
}

}  // namespace mxc::policy
