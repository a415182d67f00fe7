// The meeting at a container's two fifos: `create` leaves the first process waiting there, `start` lets it go on.
#pragma once

#include "linux_runtime/container/store.h"
#include "linux_runtime/sandbox/plan.h"
#include "linux_runtime/sandbox/status.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::container {

// Makes both fifos and opens them for the child: plan.bundle.start_fifo and start_status.
Result<void> MakeStartFifos(const Entry& entry, sandbox::Plan& plan);

// Writes the byte, waits until the program runs, and removes the fifos. Errors: why it doesn't run, in words that callers
// know ("no such file or directory", "permission denied"); a startContainer hook that failed.
Result<void> LetStart(const Entry& entry, const oci::Spec& spec);

// The same without fifos: waits at the status pipe of a first process that goes on by itself. Errors: as LetStart.
Result<void> AwaitProgram(int status, const oci::Spec& spec);

// What a record of a first process means that failed after the steps of its plan.
Error LateFailure(const sandbox::StatusRecord& record, const oci::Spec& spec);

}  // namespace mxc::container
