// The commands of mxc-runtime. Each returns the exit status, or why it failed.
#pragma once

#include "linux_runtime/container/store.h"
#include "linux_runtime/runtime/log.h"
#include "linux_runtime/runtime/options.h"
#include "linux_runtime/sandbox/launch.h"
#include "shared/base/result.h"

namespace mxc::runtime {

// What a command works with.
struct Context {
  const Options& options;
  const container::Store& store;
  const Log& log;
  std::string seccomp_cache;
  std::string runtime_directory;  // the value of XDG_RUNTIME_DIR, or ""
  sandbox::ArgvArea argv;
};

// lifecycle_commands.cc
Result<int> CreateCommand(const Context& context);
Result<int> RunCommand(const Context& context);
Result<int> StartCommand(const Context& context);
Result<int> KillCommand(const Context& context);
Result<int> DeleteCommand(const Context& context);
Result<int> PauseCommand(const Context& context, bool paused);

// exec_command.cc
Result<int> ExecCommand(const Context& context);

// inspect_commands.cc
Result<int> StateCommand(const Context& context);
Result<int> ListCommand(const Context& context);
Result<int> PsCommand(const Context& context);
Result<int> EventsCommand(const Context& context);

// update_command.cc
Result<int> UpdateCommand(const Context& context);

// These need no store.
Result<int> SpecCommand(const Options& options);  // spec_command.cc
std::string Features();                           // features.cc

// All of `text` on standard output.
Result<void> Print(const std::string& text);
Result<std::string> ReadInput(const std::string& path);  // "-": standard input

// Waits for a process that was started in the foreground: passes signals and the terminal on. Its exit status, 128+N by
// signal N.
Result<int> Attend(sandbox::Launched& launched);

}  // namespace mxc::runtime
