// How a run ends for callers of Microsoft's executor and library.
#pragma once

#include <optional>
#include <string>

#include "linux_runtime/cli/run_command.h"
#include "shared/policy/policy.h"

namespace mxc::compat {

inline constexpr int kWrongRequest = 1, kBackendFailed = 255;
// What scripts look for in /proc/1/comm to know the backend.
inline constexpr char kInitName[] = "bwrap";

struct LxcEnd {
  int exit_code = kBackendFailed;
  bool timed_out = false;
  std::optional<Error> error;  // to be told; of status kWrongRequest without an envelope, as bubblewrap tells it itself
};
LxcEnd EndOf(const Result<cli::Ended>& ended, const policy::Policy& policy);

// Message and hint, for a terminal.
std::string Whole(const Error& error);

// "lxc-exec: MESSAGE" on standard error.
void SayPlainly(const Error& error);

}  // namespace mxc::compat
