// The supervisor's side of a sandbox that serves programs (program_server.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

// The paths to try for a program's name: itself with a slash in it, else below each absolute folder of the PATH in `env`.
std::vector<std::string> ProgramCandidates(const std::string& program, const std::vector<std::string>& env);

struct WantedProgram {
  uint32_t id = 0;
  std::vector<std::string> argv, env;
  std::string cwd = "/";
  bool cwd_required = true;
  uint8_t terminal_streams = 0;
  uint16_t rows = 0, columns = 0;
};

// socket: Launched::parent. streams: the three standard ones, the caller's (it may close them afterwards).
// Errors: kInvalid for an empty or unsendable program (more than 8,192 strings or 128 KiB together); kSystem.
Result<void> AskForProgram(int socket, const WantedProgram& program, const sys::UniqueFd (&streams)[3]);
Result<void> AskForSignal(int socket, uint32_t id, int signal);

}  // namespace mxc::sandbox
