// lxc-exec: Microsoft's executor of MXC configurations for Linux, over the same code as `mxc run`. docs/compatibility.md
// says where the two differ. Exit status: the program's; 1 for a request that is wrong, 2 for a command line that is, 255
// for a policy that can't be enforced and for a time-out.
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/cli/run_command.h"
#include "linux_runtime/compat/backends.h"
#include "linux_runtime/compat/base64.h"
#include "linux_runtime/compat/ffi_host.h"
#include "linux_runtime/compat/ffi_protocol.h"
#include "linux_runtime/compat/lxc_options.h"
#include "linux_runtime/compat/lxc_request.h"
#include "linux_runtime/compat/lxc_run.h"
#include "linux_runtime/sandbox/startup.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"
#include "shared/client/prepare.h"
#include "shared/policy/digest.h"
#include "shared/policy/read.h"

namespace mxc::compat {
namespace {

constexpr char kInline[] = "configuration";

void Say(FILE* stream, const std::string& text) { ::fwrite(text.data(), 1, text.size(), stream); }

class LogFile {
 public:
  explicit LogFile(const std::optional<std::string>& path) {
    if (!path) return;
    file_.reset(sys::OpenAt(AT_FDCWD, path->c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644));
    if (!file_.valid()) Say(stderr, "WARNING: the log file " + EscapeText(*path) + " can't be opened\n");
  }
  void Line(const std::string& text) const {
    if (!file_.valid()) return;
    const std::string line = "[" + std::to_string(::time(nullptr)) + "] " + text + "\n";
    sys::Write(file_.get(), line.data(), line.size());
  }

 private:
  sys::UniqueFd file_;
};

int WrongRequest(const std::string& why) {
  Say(stderr, "Request error\nConfiguration parse error: " + why + "\n");
  return kWrongRequest;
}

// The last line is for programs.
int BackendError(const Error& error) {
  const nlohmann::ordered_json envelope = {{"error", {{"code", "backend_error"}, {"message", error.Describe()}}}};
  Say(stderr, Whole(error) + "\n" + envelope.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return kBackendFailed;
}

Result<Config> ReadConfig(const LxcOptions& options) {
  if (options.config_base64) {
    std::optional<std::string> text = DecodeBase64(*options.config_base64);
    if (!text) return Error(Code::kInvalid, "Failed to decode base64 configuration");
    return Config{kInline, std::move(*text)};
  }
  const std::string path = options.config ? *options.config : *options.path;
  Result<std::string> text = policy::ReadFileLimited(path);
  if (text.ok()) return Config{path, std::move(text).value()};
  if (text.error().code() == Code::kNotFound) return Error(Code::kNotFound, "Configuration file not found: " + path);
  return std::move(text).error();
}

std::string Head(const policy::Policy& policy) {
  const policy::Process& process = *policy.process;
  return "Script code length: " + std::to_string(process.command_line.size()) +
         "\nWorking directory: " + EscapeText(process.cwd.value_or("")) +
         "\nScript timeout: " + std::to_string(process.timeout_ms) +
         "\nContainer name: " + EscapeText(policy.container_id.value_or("")) + "\n";
}

class Clock {
 public:
  std::string Line() const {
    const auto passed = std::chrono::steady_clock::now() - begin_;
    return "Runner completed in " +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(passed).count()) + "ms\n";
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

int DryRun(const client::Options& run, ConfigHost& host, const policy::Policy& policy) {
  Say(stdout, Head(policy));
  const Clock clock;
  const Result<client::PreparedSpec> prepared = client::PrepareSpec(run, host);
  Say(stdout, clock.Line() + "Dry run completed. Result: validation " +
                  (prepared.ok() ? "passed" : "failed: " + EscapeText(prepared.error().Describe())) + "\n");
  return prepared.ok() ? 0 : kBackendFailed;
}

int Tell(const LxcEnd& end) {
  if (!end.error) return end.exit_code;
  if (end.exit_code == kBackendFailed) return BackendError(*end.error);
  SayPlainly(*end.error);
  return end.exit_code;
}

int Run(const LxcOptions& options, const client::Options& run, ConfigHost& host, const policy::Policy& policy,
        const sandbox::ArgvArea& argv) {
  const LogFile log(options.log_file);
  if (options.debug) {
    Say(stdout, Head(policy));
    ::fflush(stdout);
  }
  if (options.log_file) {
    if (Result<client::Prepared> prepared = client::Prepare(run, host, false); prepared.ok()) {
      const nlohmann::ordered_json event = {{"event", "mxc.PolicyHash"},
                                            {"backend", "mxc"},
                                            {"policy_hash", policy::Digest(prepared->effective)},
                                            {"config_schema_version", policy.declared_version}};
      log.Line(event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
  }
  const Clock clock;
  cli::RunHooks hooks;
  hooks.init_name = kInitName;
  hooks.ends_by_signal = true;
  Result<cli::Ended> ended = cli::RunCommand(run, host, argv, hooks);
  const int status = Tell(EndOf(ended, policy));
  if (options.debug) {
    char code[64];
    ::snprintf(code, sizeof code, "Exit code: %d (0x%08x)\n", status, static_cast<unsigned>(status));
    Say(stdout, clock.Line() + code);
  }
  log.Line("exit code " + std::to_string(status));
  ::fflush(stdout);
  // Nothing is left to be done but to free memory.
  ::_exit(status);
}

int PrintBackends() {
  cli::LinuxHost host(environ);
  Result<translate::HostFacts> facts = host.Facts();
  if (!facts.ok()) return BackendError(facts.error());
  Say(stdout, AvailableBackends(*facts).dump(2) + "\n");
  return 0;
}

int Delete(const LxcOptions& options) {
  if (!options.container_name) {
    Say(stderr, "Error: --containername is required with --delete\n");
    return kWrongRequest;
  }
  // Nothing of a run outlives it.
  Say(stdout, "Container '" + EscapeText(*options.container_name) + "' does not exist.\n");
  return kWrongRequest;
}

int Main(int argc, char** argv) {
  const LxcParsed parsed = ParseLxcCommandLine(argc, argv);
  if (!parsed.options) {
    Say(parsed.exit_code == 0 ? stdout : stderr, parsed.message);
    return parsed.exit_code;
  }
  const LxcOptions& options = *parsed.options;
  if (options.available_backends) return PrintBackends();
  if (options.remove) return Delete(options);
  if (options.setup_hyperlight) {
    Say(stderr, "error: the 'hyperlight' backend is not available on Linux\n");
    return kWrongRequest;
  }
  if (!options.config_base64 && !options.config && !options.path) {
    Say(stderr, "Error: No config provided. Use a positional path, --config, or --config-base64\n");
    return kWrongRequest;
  }
  Result<Config> config = ReadConfig(options);
  if (!config.ok()) return WrongRequest(EscapeText(config.error().Describe()));
  Result<policy::Policy> policy = ReadLxcRequest(*config, options.experimental);
  if (!policy.ok()) {
    if (!IsContainment(policy.error())) return WrongRequest(Whole(policy.error()));
    Say(stderr, "error: " + Whole(policy.error()) + "\n");
    return kWrongRequest;
  }
  client::Options run;
  run.command = client::Command::kRun;
  run.policy = config->source;
  ConfigHost host(environ, *config);
  if (options.dry_run) return DryRun(run, host, *policy);
  return Run(options, run, host, *policy, sandbox::AreaOf(argc, argv));
}

}  // namespace
}  // namespace mxc::compat

int main(int argc, char** argv) {
  if (!mxc::sandbox::FillStandardStreams()) return mxc::compat::kBackendFailed;
  mxc::sandbox::PopulateHeap();
  if (argc > 1 && std::string_view(argv[1]) == mxc::compat::kServeOption) return mxc::compat::ServeFfi(argc, argv);
  return mxc::compat::Main(argc, argv);
}
