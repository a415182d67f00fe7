// From the command line's files to a resolved policy and its OCI spec; the same steps for every command and program.
#pragma once

#include <optional>
#include <string>

#include "shared/client/host.h"
#include "shared/client/options.h"
#include "shared/oci/spec.h"
#include "shared/policy/effective.h"
#include "shared/policy/policy.h"
#include "shared/policy/profile.h"
#include "shared/translate/translate.h"

namespace mxc::client {

struct Prepared {
  policy::Policy policy;
  policy::EffectivePolicy effective;
  std::optional<translate::HostFacts> named_facts;  // of --host-facts
};

// The policy that --policy names; without it an empty one of the command line.
Result<policy::Policy> ReadThePolicy(const Options& options, Host& host);

// Who calls, as the facts of a host have it.
policy::Caller CallerOf(const translate::HostFacts& facts);

// Embedded profiles and those of /etc/mxc/profiles.d.
Result<policy::ProfileSet> Profiles(Host& host);

// Reads policy, profiles, floor and --host-facts; resolves. Without --policy the profile alone decides. With --host-facts
// the caller is the one of those facts. command_optional: neither policy nor command line need name a program (check,
// why).
Result<Prepared> Prepare(const Options& options, Host& host, bool command_optional);

// --host-facts, else this host's.
Result<translate::HostFacts> Facts(const Prepared& prepared, Host& host);

// Prepare and Translate.
struct PreparedSpec {
  Prepared prepared;
  translate::Translation translation;
};
Result<PreparedSpec> PrepareSpec(const Options& options, Host& host);

}  // namespace mxc::client
