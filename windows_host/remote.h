// The commands that go through mxcd in a WSL distribution: `run` and those of sessions.
#pragma once

#include <optional>
#include <string>

#include "shared/base/result.h"
#include "shared/client/host.h"
#include "shared/client/options.h"
#include "windows_host/host_sockets.h"
#include "windows_host/managed_policy.h"

namespace mxc::windows {

struct RemoteEnd {
  int exit_code = 0;
  std::string text;            // on standard output
  std::optional<Error> error;  // to be printed
};

// Errors: WSL, the relay or mxcd can't be reached; what mxcd refuses.
Result<RemoteEnd> RemoteCommand(const client::Options& options, client::Host& host, const ManagedPolicy& managed,
                                HostSockets& sockets);

}  // namespace mxc::windows
