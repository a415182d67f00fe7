// `mxc run` and `mxc plan`: what only Linux can do.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/run/run.h"
#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/client/options.h"
#include "shared/policy/effective.h"
#include "shared/report/exit_report.h"

namespace mxc::cli {

// How `mxc run` ended. error: why the program didn't start or was ended by us, to be printed.
struct Ended {
  int exit_code = 125;
  std::optional<Error> error;
  report::How how = report::How::kFailedToStart;
  std::vector<std::string> warnings;
  std::shared_ptr<void> kept;  // memory of the run, to be freed with this or not at all: see run::RunResult::kept
};

// Other programs that run policies say here what is different: see run::RunOptions.
struct RunHooks {
  const char* init_name = sandbox::kInitName;
  std::optional<uint8_t> terminal_streams;  // not given: those of the standard streams that are terminals
  bool ends_by_signal = false;
  std::function<void(supervise::Supervisor&, supervise::Loop&)> attend;
  std::function<void()> on_started;
};

// Errors: what stopped the run before anything started (status 125). With --report, a report is written in any case.
Result<Ended> RunCommand(const client::Options& options, LinuxHost& host, const sandbox::ArgvArea& argv,
                         const RunHooks& hooks = {});

// Grants know the line of the policy that they stand in; the spec that ran doesn't.
void AddOrigins(const policy::EffectivePolicy& effective, report::ExitReport& report);

Result<std::string> PlanCommand(const client::Options& options, LinuxHost& host);

}  // namespace mxc::cli
