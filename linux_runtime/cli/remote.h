// The commands that go through mxcd: `run --daemon` and those of sessions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/sys/fd.h"
#include "shared/client/options.h"
#include "shared/wire/message.h"

namespace mxc::cli {

// What `mxc` ends with, and what is to be printed before that.
struct RemoteEnd {
  int exit_code = 0;
  std::string text;            // on standard output
  std::optional<Error> error;  // to be printed
  std::string how;             // of a program, as an exit report says it
  std::vector<std::string> warnings;
};

// A program that runs in mxcd's care.
class RemoteProgram {
 public:
  virtual ~RemoteProgram() = default;
  // Kept until the program has started.
  virtual void Signal(int signal) = 0;
  virtual void Resize(wire::TerminalSize size) = 0;
};

// What other programs than `mxc` have different.
struct RemoteHooks {
  // The program has a terminal of this size, whatever the standard streams are.
  std::optional<wire::TerminalSize> terminal;
  // Before anything is asked.
  std::function<void(RemoteProgram&, supervise::Loop&)> attend;
  std::function<void()> on_started;
};

// MXC_SOCKET's mxcd, else the user's own, else root's. Errors: none of them can be reached, or what listens is somebody else's.
Result<sys::UniqueFd> ConnectToDaemon();

// Errors: mxcd can't be reached or isn't one that this user may trust; what mxcd refuses.
Result<RemoteEnd> RemoteCommand(const client::Options& options, LinuxHost& host, const RemoteHooks& hooks = {});

}  // namespace mxc::cli
