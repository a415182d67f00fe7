// What mxcd hands to a session's supervisor: a few byte strings in a memory file, so that neither size nor content matters to
// the socket that carries it.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "linux_runtime/transport/connection.h"
#include "shared/base/result.h"

namespace mxc::daemon {

// As UnpackParcel reads them.
std::string JoinParts(const std::vector<std::string>& parts);
Result<sys::UniqueFd> PackParcel(const std::vector<std::string>& parts);
// Errors (kInvalid): not what PackParcel made.
Result<std::vector<std::string>> UnpackParcel(int fd);

// A connection's state as parts: appended to, and taken from the end of, a list.
void AppendHandover(transport::Handover handover, std::vector<std::string>& parts);
Result<transport::Handover> TakeHandover(std::vector<std::string>& parts);

}  // namespace mxc::daemon
