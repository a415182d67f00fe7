// What this host can enforce, one line a thing (shared/client/findings.h).
// Nothing is changed and nothing is run but what details.h tries.
#pragma once

#include "linux_runtime/host/details.h"
#include "shared/base/result.h"
#include "shared/client/findings.h"
#include "shared/translate/host_facts.h"

namespace mxc::host {

using client::DoctorJson;
using client::Finding;
using client::FormatDoctor;
using client::Report;
using client::Status;

// The judgement alone, over facts from anywhere.
Report Judge(const translate::HostFacts& facts, const Details& details);

// Of this host. Fails only where ProbeHost does.
Result<Report> Diagnose();

}  // namespace mxc::host
