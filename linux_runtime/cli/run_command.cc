#include "linux_runtime/cli/run_command.h"

#include <stdlib.h>
#include <unistd.h>

#include "linux_runtime/run/run.h"
#include "shared/client/prepare.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"

namespace mxc::cli {
namespace {

std::string Environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

run::RunOptions HostOptions() {
  run::RunOptions options;
  options.runtime_directory = Environment("XDG_RUNTIME_DIR");
  std::string cache = Environment("XDG_CACHE_HOME");
  std::string home = Environment("HOME");
  if (cache.empty() && !home.empty()) cache = home + "/.cache";
  if (!cache.empty()) options.cache_directory = cache + "/mxc";
  return options;
}

struct Job {
  oci::Spec spec;
  std::vector<std::string> notes;
};

Result<Job> ReadJob(const client::Options& options, client::Host& host) {
  Job job;
  if (!options.spec) {
    client::PreparedSpec prepared = MXC_TRY(client::PrepareSpec(options, host));
    job.spec = std::move(prepared.translation.spec);
    job.notes = std::move(prepared.translation.notes);
    return job;
  }
  std::string source = *options.spec == "-" ? "standard input" : *options.spec;
  std::string text = MXC_TRY_AS("read the spec", host.ReadFile(*options.spec));
  job.spec = MXC_TRY(oci::ReadSpec(text, source));
  oci::Extension extension = MXC_TRY(oci::ReadExtension(job.spec.annotations));
  job.notes = MXC_TRY_AS(source, oci::Validate(job.spec, extension)).warnings;
  if (!options.argv.empty() && job.spec.process) job.spec.process->args = options.argv;
  return job;
}

}  // namespace

Result<std::string> PlanCommand(const client::Options& options, client::Host& host) {
  Job job = MXC_TRY(ReadJob(options, host));
  sandbox::Plan plan = MXC_TRY(run::PlanSandbox(job.spec, HostOptions()));
  plan.notes.insert(plan.notes.begin(), job.notes.begin(), job.notes.end());
  return sandbox::FormatPlan(plan);
}

Result<Ended> RunCommand(const client::Options& options, client::Host& host, const sandbox::ArgvArea& argv) {
  Job job = MXC_TRY(ReadJob(options, host));
  run::RunOptions run = HostOptions();
  run.terminal = ::isatty(0) == 1 && ::isatty(1) == 1;
  run.argv = argv;
  run::RunResult result = MXC_TRY(run::RunSandbox(job.spec, run));
  return Ended{result.outcome.ExitCode(), std::move(result.failure)};
}

}  // namespace mxc::cli
