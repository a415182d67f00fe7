#include "linux_runtime/cli/run_command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "linux_runtime/supervise/write_report.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "shared/client/prepare.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"
#include "shared/policy/explain.h"

namespace mxc::cli {
namespace {

std::string Environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

run::RunOptions HostOptions() {
  run::RunOptions options;
  options.runtime_directory = Environment("XDG_RUNTIME_DIR");
  options.cache_directory = FilterCacheFolder();
  return options;
}

// With the input and the output on terminals, the program gets one of its own for all three. Else it gets one for what it
// shows there, which has to be filtered, and the input stays as it is, for reading only.
uint8_t TerminalStreams() {
  const bool input = ::isatty(STDIN_FILENO) == 1;
  if (input && ::isatty(STDOUT_FILENO) == 1) return 7;
  if (input) {
    // Fails where the terminal belongs to somebody else (after su); then the program can't open it again either.
    sys::UniqueFd again(::open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (again.valid()) ::dup2(again.get(), STDIN_FILENO);
  }
  return static_cast<uint8_t>((::isatty(STDOUT_FILENO) == 1 ? 2 : 0) | (::isatty(STDERR_FILENO) == 1 ? 4 : 0));
}

struct Job {
  oci::Spec spec;
  oci::Extension extension;  // of the spec
  std::vector<std::string> notes;
  std::optional<policy::EffectivePolicy> effective;
};

Result<Job> ReadJob(const client::Options& options, client::Host& host) {
  Job job;
  if (!options.spec) {
    client::PreparedSpec prepared = MXC_TRY(client::PrepareSpec(options, host));
    job.spec = std::move(prepared.translation.spec);
    job.extension = std::move(prepared.translation.extension);
    job.notes = std::move(prepared.translation.notes);
    job.effective = std::move(prepared.prepared.effective);
    return job;
  }
  // A spec says nothing of the policy behind it, so a floor can't be held against it.
  if (std::vector<client::NamedText> floors = MXC_TRY_AS("read the managed floor", host.Floors()); !floors.empty()) {
    return Error(Code::kRefused, "--spec is refused here: this machine has a managed floor, " + floors.front().first)
        .WithHint("use --policy: a policy is cut down to what the floor allows");
  }
  std::string source = *options.spec == "-" ? "standard input" : *options.spec;
  std::string text = MXC_TRY_AS("read the spec", host.ReadFile(*options.spec));
  job.spec = MXC_TRY(oci::ReadSpec(text, source));
  if (!(job.spec.hooks == oci::Hooks{})) {
    return Error(Code::kUnsupported, "/hooks: mxc run starts no hooks, which would run outside of the sandbox")
        .WithPosition({source, 0, 0, "/hooks"})
        .WithHint("take them out of the spec, or call the programs before and after mxc");
  }
  job.extension = MXC_TRY(oci::ReadExtension(job.spec.annotations));
  job.notes = MXC_TRY_AS(source, oci::Validate(job.spec, job.extension)).warnings;
  if (!options.argv.empty() && job.spec.process) job.spec.process->args = options.argv;
  return job;
}

}  // namespace

Result<std::string> PlanCommand(const client::Options& options, LinuxHost& host) {
  Job job = MXC_TRY(ReadJob(options, host));
  sandbox::Plan plan = MXC_TRY(run::PlanSandbox(job.spec, job.extension, HostOptions()));
  plan.notes.insert(plan.notes.begin(), job.notes.begin(), job.notes.end());
  return sandbox::FormatPlan(plan);
}

void AddOrigins(const policy::EffectivePolicy& effective, report::ExitReport& report) {
  for (report::PathLine& line : report.paths) {
    if (!line.origin.empty()) continue;
    for (const policy::PathRule& rule : effective.paths) {
      if (rule.path == line.path) line.origin = policy::DescribeOrigin(rule.origin);
    }
  }
}

namespace {

report::ExitReport FailureReport(const client::Options& options, const Error& error) {
  report::ExitReport report;
  report.run = options.name;
  report.how = report::How::kFailedToStart;
  report.exit_code = 125;
  std::string name = error.system_errno() == 0 ? "" : sys::ErrnoName(error.system_errno());
  report.error = report::ReportError{error.Describe(), error.hint(), "", "", name};
  return report;
}

struct Kept {
  Job job;
  std::shared_ptr<void> run;
};

Result<Ended> RunJob(const client::Options& options, LinuxHost& host, const sandbox::ArgvArea& argv,
                     const RunHooks& hooks, report::ExitReport& report) {
  client::Options named = options;
  if (named.name.empty()) named.name = "run-" + std::to_string(::getpid());
  auto kept = std::make_shared<Kept>();
  kept->job = MXC_TRY(ReadJob(named, host));
  const Job& job = kept->job;
  run::RunOptions run = HostOptions();
  run.terminal_streams = hooks.terminal_streams ? *hooks.terminal_streams : TerminalStreams();
  run.argv = argv;
  run.init_name = hooks.init_name;
  run.ends_by_signal = hooks.ends_by_signal;
  run.attend = hooks.attend;
  run.on_started = hooks.on_started;
  run.describe = options.report.has_value();
  run.cgroups = &host.Cgroups();
  run::RunResult result = MXC_TRY(run::RunSandbox(job.spec, job.extension, run));
  kept->run = std::move(result.kept);
  report = std::move(result.report);
  report.warnings.insert(report.warnings.begin(), job.notes.begin(), job.notes.end());
  if (options.policy) report.policy = *options.policy;
  if (job.effective) AddOrigins(*job.effective, report);
  return Ended{report.exit_code, std::move(result.failure), report.how, report.warnings, std::move(kept)};
}

}  // namespace

Result<Ended> RunCommand(const client::Options& options, LinuxHost& host, const sandbox::ArgvArea& argv,
                         const RunHooks& hooks) {
  std::optional<supervise::ReportFile> file;
  if (options.report) file.emplace(MXC_TRY(supervise::ReportFile::Open(*options.report)));
  report::ExitReport report;
  Result<Ended> ended = RunJob(options, host, argv, hooks, report);
  if (!file) return ended;
  if (!ended.ok()) report = FailureReport(options, ended.error());
  Result<void> written = file->Write(report);
  if (!written.ok() && ended.ok() && !ended->error) ended->error = std::move(written).error();
  return ended;
}

}  // namespace mxc::cli
