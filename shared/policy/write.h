// A Policy as JSON of the contract that it is in the form of, in one spelling: fixed order of fields, defaults left out, sizes in bytes, two
// spaces of indentation. Reading it again gives an equal Policy (but for source and positions).
#pragma once

#include <string>

#include "shared/policy/policy.h"

namespace mxc::policy {

// Strings must be valid UTF-8, as those of a policy that was read are.
std::string WritePolicy(const Policy& policy);

// True if both say the same, wherever it stands in their documents.
bool SamePolicy(const Policy& a, const Policy& b);

}  // namespace mxc::policy
