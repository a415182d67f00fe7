// policy::Network → Ruleset.
#pragma once

#include <functional>
#include <string>

#include "shared/network/ruleset.h"
#include "shared/policy/policy.h"

namespace mxc::network {

// Order: what is denied; single addresses that are allowed by themselves, which is the one way to allow an address of the
// host; the host; what is allowed; the default. Empty where nothing is allowed: then there is no network at all.
// name: what Rule::origin says for a JSON pointer. Errors: kInvalid, a range that the readers would have refused.
Result<Ruleset> Compile(const policy::Network& network, const std::function<std::string(const std::string&)>& name);

}  // namespace mxc::network
