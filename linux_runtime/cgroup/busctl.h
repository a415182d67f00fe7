// Runs busctl(1), systemd's D-Bus client: the runtime is one static binary, and systemd's own client library is dynamic.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"

namespace mxc::cgroup {

struct Bus {
  std::string busctl = "busctl";  // looked up in PATH unless it holds '/'
  bool user = false;              // the user's manager (rootless), by XDG_RUNTIME_DIR; else the system's
};

// One call, its words as systemd_scope.h makes them. An error carries what busctl printed.
Result<void> CallSystemd(const Bus& bus, const std::vector<std::string>& words);

}  // namespace mxc::cgroup
