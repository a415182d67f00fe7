// What mxc.exe did, on the Windows side: the same numbered and chained lines as mxcd's (docs/audit.md), with the same name of the
// sandbox in both.
#pragma once

#include "shared/audit/event.h"
#include "shared/base/result.h"

namespace mxc::windows {

// Appends a line to %LOCALAPPDATA%\MxcRuntime\audit\audit.jsonl; the time is set here. One mxc.exe writes at a time, others wait up to two
// seconds. Errors: kSystem; nothing was written then.
Result<void> AppendAudit(audit::Event event);

}  // namespace mxc::windows
