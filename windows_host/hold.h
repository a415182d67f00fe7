// What keeps a distribution alive for sessions whose clients have gone: WSL counts Windows' processes, not what runs inside.
#pragma once

#include <chrono>
#include <string>

#include "shared/base/result.h"
#include "windows_host/host_sockets.h"

namespace mxc::windows {

struct HoldOptions {
  std::string distribution, user;            // as for RelayOptions
  bool away_required = false;                // likewise
  std::chrono::milliseconds every{15'000};   // how often sessions are looked for
  std::chrono::milliseconds linger{30'000};  // how long none may be there
};

// Starts `mxc.exe __hold` as a process of its own, without a console and out of the caller's job where that lets it go.
Result<void> StartHolder(const std::string& distribution, const std::string& user);

// Until no session runs any more. At once where another process of this user holds the same distribution. Errors: the distribution
// can't be reached or is gone.
Result<void> Hold(const HoldOptions& options, HostSockets& sockets);

}  // namespace mxc::windows
