// `mxc run` and `mxc plan`: what only Linux can do.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/client/options.h"
#include "shared/report/exit_report.h"

namespace mxc::cli {

// How `mxc run` ended. error: why the program didn't start or was ended by us, to be printed.
struct Ended {
  int exit_code = 125;
  std::optional<Error> error;
  report::How how = report::How::kFailedToStart;
  std::shared_ptr<void> kept;  // memory of the run, to be freed with this or not at all: see run::RunResult::kept
};

// Errors: what stopped the run before anything started (status 125). With --report, a report is written in any case.
// init_name: what /proc/1/comm reads inside.
Result<Ended> RunCommand(const client::Options& options, LinuxHost& host, const sandbox::ArgvArea& argv,
                         const char* init_name = sandbox::kInitName);

Result<std::string> PlanCommand(const client::Options& options, LinuxHost& host);

}  // namespace mxc::cli
