// From a request to the spec that runs: the server's own reading of the policy, with its own profiles, floor and facts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/oci/extension.h"
#include "shared/oci/spec.h"
#include "shared/policy/effective.h"
#include "shared/report/exit_report.h"
#include "shared/wire/message.h"

namespace mxc::daemon {

struct Admitted {
  oci::Spec spec;
  oci::Extension extension;
  std::vector<std::string> notes;
  std::optional<policy::EffectivePolicy> effective;
};

// As the user that this process is: his own account, working folder and environment of the request's, /etc/mxc. The working
// folder of this process becomes the caller's. session: whether a program need not be named. own_folder: of a session with a
// home of its own (homes.h), which is what ~ and the working folder are then; "": none.
// Errors: all of a policy's; kRefused where a spec that came along isn't what the policy comes to, for a bare spec of
// anyone but root's, or under a floor.
Result<Admitted> Admit(const wire::PolicyPart& policy, bool session, const std::string& own_folder);

// This host's facts for that caller, as JSON: what a client on another machine translates with.
Result<std::string> FactsFor(const wire::PolicyPart& policy);

// Adds what only the policy knows: its file, the rules behind grants.
void CompleteReport(const wire::PolicyPart& policy, const Admitted& admitted, report::ExitReport& report);

}  // namespace mxc::daemon
