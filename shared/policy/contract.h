// The published versions of Microsoft's MXC contract. A version is an exact spelling, not a range. Each has a bit; the tables
// of contract_fields.cc say by these which versions have which fields and values. A document is checked against its own
// version, lifted to the newest one step by step (contract_lift.cc), and read by the one reader of contract_request.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "shared/base/result.h"
#include "shared/policy/decoder.h"
#include "shared/policy/policy.h"
#include "shared/policy/read.h"

namespace mxc::policy {

// Bits, the oldest version first.
using Versions = uint8_t;
inline constexpr Versions k04 = 1 << 0, k05 = 1 << 1, k06 = 1 << 2, k07 = 1 << 3, k08 = 1 << 4, k09 = 1 << 5,
                          k10 = 1 << 6, k11 = 1 << 7;
constexpr Versions Since(Versions version) { return static_cast<Versions>(~(version - 1u)); }
constexpr Versions Until(Versions version) { return static_cast<Versions>(version | (version - 1u)); }
inline constexpr Versions kEvery = 0xff;

struct Contract {
  Versions bit;
  std::string_view spelling;
};

// Oldest first.
std::span<const Contract> Contracts();
// What `mxc migrate` writes.
inline constexpr std::string_view kNewestStable = "1.0.0";

// The contract that a document names in `version`. Errors at /version: missing, no string, unknown.
Result<const Contract*> FindContract(const Node& root);

// contract_fields.cc. Fields and values that the document's version doesn't have are errors that say when they came or
// went, and what says the same today. Fields that no version has are left to the reader.
Result<void> CheckFields(const Node& root, const Contract& contract);

// contract_lift.cc: 0.4 → 0.5 → … → the newest form. Values keep their places. Errors, in the document's own words, for
// what has no meaning today. The document must have passed CheckFields.
Result<void> Lift(Value& document, const std::string& source, const Contract& contract);

// contract_request.cc: the newest form. Fills everything but version, source and positions.
Result<void> ReadRequest(const Node& root, const ReadOptions& options, Policy& policy);

}  // namespace mxc::policy
