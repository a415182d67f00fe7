// The digest of a resolved policy: two runs with the same digest are allowed the same and run the same command.
#pragma once

#include <string>
#include <string_view>

#include "shared/policy/effective.h"

namespace mxc::policy {

// The policy as JSON in one spelling only: members in a fixed order, no white space, paths sorted. Left out are labels
// and where things came from (run_name, origins, the digest itself), which allow nothing.
std::string CanonicalJson(const EffectivePolicy& policy);

// "sha256:" and 64 hexadecimal digits over the canonical JSON.
std::string Digest(const EffectivePolicy& policy);

// The same of any text.
std::string Sha256(std::string_view text);

}  // namespace mxc::policy
