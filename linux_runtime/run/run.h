// Runs an OCI spec with our annotations in a sandbox, in the foreground, from admission to the last byte of clean-up.
// `mxc run`, lxc-exec and the C interface all come through here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/plan.h"
#include "linux_runtime/supervise/supervise.h"
#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"
#include "shared/report/exit_report.h"

namespace mxc::run {

struct Serving {
  supervise::Supervisor& supervisor;
  supervise::Loop& loop;
  int socket;  // to the programs' server
};

struct RunOptions {
  // Standard streams, a bit each, that are terminals: the program gets one of its own in their place. 0: none.
  uint8_t terminal_streams = 0;
  std::string runtime_directory;  // XDG_RUNTIME_DIR
  std::string cache_directory;    // compiled filters of lists that aren't shipped; "": none
  sandbox::ArgvArea argv;
  const char* init_name = sandbox::kInitName;  // what /proc/1/comm reads inside
  bool describe = true;                        // the report says what was applied; else only how the run went
  const cgroup::Hierarchy* cgroups = nullptr;  // as they were found already; else they are looked at
  bool ends_by_signal = false;                 // SuperviseOptions::ends_by_signal
  // A caller that has something to say while the run goes on watches a descriptor here; called once, before the program
  // runs. The supervisor takes Kill and Resize from callbacks of the loop.
  std::function<void(supervise::Supervisor&, supervise::Loop&)> attend;
  std::function<void()> on_started;  // the program runs
  // Instead of the spec's program the sandbox runs those that its supervisor asks for (sandbox/program_request.h), until
  // Supervisor::EndWith or Kill. Called once, before it is ready, which on_started tells.
  std::function<void(const Serving&)> serve;
  std::function<void(const sandbox::StatusRecord&)> on_program;
  std::function<void()> on_ended;        // the last call before the loop of `serve` is gone
  bool own_session = false;              // this process's ids and home are this sandbox's alone
  std::function<void(int signal)> send;  // what would go to the program: the time limit's signal
};

struct RunResult {
  report::ExitReport report;     // complete but for what only the caller knows (the policy's file, origins of grants)
  std::optional<Error> failure;  // why the program didn't start, or why it was ended by us
  // What the run worked with and needs no more. A caller that ends anyway need not free it: after a fork, freeing copies
  // each page that it touches.
  std::shared_ptr<void> kept;
};

// extension: what oci::ReadExtension reads from the spec's annotations, which whoever wrote them has already.
// Errors: what stops a run before anything starts.
Result<RunResult> RunSandbox(const oci::Spec& spec, const oci::Extension& extension, const RunOptions& options);

// The plan that RunSandbox would carry out, without a cgroup and without taking ids.
Result<sandbox::Plan> PlanSandbox(const oci::Spec& spec, const oci::Extension& extension, const RunOptions& options);

}  // namespace mxc::run
