// From what a run is allowed to the OCI specification that says so. A pure function: no file, clock or system call, so
// that mxc.exe, mxc and mxcd come to the same specification.
//
// What the specification has a field for goes there, the rest into annotations (shared/oci/extension.h). A limit or rule
// that the host of `facts` can't enforce is an error if the policy itself asked for it, else it is weakened and noted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"
#include "shared/policy/effective.h"
#include "shared/translate/host_facts.h"

namespace mxc::translate {

// Looks a seccomp profile up by name; null: there is none. What it returns must outlive every specification made from it
// (FindSeccompProfile of seccomp_profiles.h keeps its lists for good).
using FindSeccomp = const oci::LinuxSeccomp* (*)(std::string_view name);

struct Translation {
  oci::Spec spec;
  oci::Extension extension;  // what the spec's annotations say
  // What is weaker here than the policy's defaults ask, and what was left out, one sentence each, for plan and report.
  std::vector<std::string> notes;
};

// Errors: kUnsupported, with the position of the field in its document, for what the host or this build can't enforce;
// kInvalid for a working directory that isn't visible inside and for paths that aren't UTF-8; kNotFound for an unknown
// seccomp profile.
Result<Translation> Translate(const policy::EffectivePolicy& policy, const HostFacts& facts, FindSeccomp find_seccomp);

}  // namespace mxc::translate
