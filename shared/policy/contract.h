// The published versions of Microsoft's MXC contract. A version is an exact spelling, not a range. To read another one:
// write its reader into a file of its own (most sections are shared, contract_sections.h) and name it in the table of
// contract.cc.
#pragma once

#include <span>
#include <string_view>

#include "shared/base/result.h"
#include "shared/policy/decoder.h"
#include "shared/policy/policy.h"
#include "shared/policy/read.h"

namespace mxc::policy {

struct Contract {
  std::string_view spelling;
  // Fills everything but version, source and positions. nullptr: the version is known, but not read yet.
  Result<void> (*read)(const Node& root, const ReadOptions& options, Policy& policy);
};

// Oldest first.
std::span<const Contract> Contracts();

// The contract that a document names in `version`. Errors at /version: missing, no string, unknown, not read yet.
Result<const Contract*> FindContract(const Node& root);

// contract_1_0_0.cc
Result<void> ReadContract100(const Node& root, const ReadOptions& options, Policy& policy);

}  // namespace mxc::policy
