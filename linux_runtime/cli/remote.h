// The commands that go through mxcd: `run --daemon` and those of sessions.
#pragma once

#include "linux_runtime/cli/linux_host.h"
#include "shared/client/options.h"

namespace mxc::cli {

// What `mxc` ends with, and what is to be printed before that.
struct RemoteEnd {
  int exit_code = 0;
  std::string text;            // on standard output
  std::optional<Error> error;  // to be printed
};

// Errors: mxcd can't be reached or isn't one that this user may trust; what mxcd refuses.
Result<RemoteEnd> RemoteCommand(const client::Options& options, LinuxHost& host);

}  // namespace mxc::cli
