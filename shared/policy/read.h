// Reads a policy: text → document → contract version → Policy. Nothing is resolved and nothing of the host is looked at.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/policy/document.h"
#include "shared/policy/policy.h"

namespace mxc::policy {

struct ReadOptions {
  std::string source;  // names the text in errors; also decides the format
  Format format = Format::kAuto;
  bool process_optional = false;  // `process`, or only its commandLine, may be missing: the caller brings the command
};

// Order of complaints: the document itself (document.h), `version`, a state-aware `phase`, then field by field in the
// order of the document, then what fields say together.
// Errors have positions. kInvalid: malformed; kUnsupported: known, but not on Linux or not built (also other contract
// versions that are known).
// What the contract allows but no sandbox of ours enforces yet is accepted here; see RefuseUnbuilt in contract_support.h.
Result<Policy> ReadPolicy(std::string_view text, const ReadOptions& options);

}  // namespace mxc::policy
