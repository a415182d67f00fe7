// lxc-exec: Microsoft's executor of MXC configurations for Linux, over the same code as `mxc run`. docs/compatibility.md
// says where the two differ. Exit status: the program's; 1 for a request that is wrong, 2 for a command line that is, 255
// for a policy that can't be enforced and for a time-out.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/cli/run_command.h"
#include "linux_runtime/compat/base64.h"
#include "linux_runtime/compat/lxc_options.h"
#include "linux_runtime/sandbox/startup.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"
#include "shared/client/prepare.h"
#include "shared/policy/digest.h"
#include "shared/policy/read.h"

namespace mxc::compat {
namespace {

constexpr int kWrongRequest = 1, kBackendFailed = 255;
// What scripts look for in /proc/1/comm to know the backend.
constexpr char kInitName[] = "bwrap";
constexpr char kInline[] = "configuration";

void Say(FILE* stream, const std::string& text) { ::fwrite(text.data(), 1, text.size(), stream); }

// The host's view, but for the configuration, which may have come with the command line.
class ConfigHost : public cli::LinuxHost {
 public:
  ConfigHost(const char* const* environment, std::string source, std::string text)
      : LinuxHost(environment), source_(std::move(source)), text_(std::move(text)) {}
  Result<std::string> ReadFile(const std::string& path) override {
    if (path == source_) return text_;
    return LinuxHost::ReadFile(path);
  }

 private:
  std::string source_, text_;
};

struct Config {
  std::string source, text;
};

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

std::string Whole(const Error& error) {
  return EscapeText(error.Describe()) + (error.hint().empty() ? "" : "\n  hint: " + EscapeText(error.hint()));
}

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

// What is ours, and what no Linux of Microsoft's has, isn't taken for granted from a caller of theirs.
Result<void> CheckForCompatibility(const policy::Policy& policy, const LxcOptions& options) {
  const char* allowed = ::getenv("MXC_ALLOW_X_LINUX");
  if (policy.x_linux && !options.experimental && std::string(allowed == nullptr ? "" : allowed) != "1") {
    const auto place = policy.positions.find("/x-linux");
    return Error(Code::kInvalid, "unknown field \"x-linux\"")
        .WithHint("with --experimental, or MXC_ALLOW_X_LINUX=1 in the environment, mxc's own fields are taken")
        .WithPosition(place == policy.positions.end() ? Position{policy.source, 0, 0, "/x-linux"} : place->second);
  }
  return {};
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

int Status(const cli::Ended& ended, const policy::Policy& policy) {
  if (ended.how == report::How::kTimedOut) {
    return BackendError(
        Error(Code::kRefused, "script timed out after " + std::to_string(policy.process->timeout_ms) + "ms"));
  }
  if (!ended.error) return ended.exit_code;
  // A folder that isn't there inside: bubblewrap says so itself, with 1 and without an envelope.
  const int error = ended.error->system_errno();
  if (ended.how == report::How::kFailedToStart && (error == ENOENT || error == ENOTDIR)) {
    Say(stderr, "lxc-exec: " + Whole(*ended.error) + "\n");
    return kWrongRequest;
  }
  return BackendError(*ended.error);
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
  Result<cli::Ended> ended = cli::RunCommand(run, host, argv, kInitName);
  int status = 0;
  if (ended.ok()) {
    status = Status(*ended, policy);
  } else if (ended.error().code() == Code::kNotFound) {
    Say(stderr, "lxc-exec: " + Whole(ended.error()) + "\n");
    status = kWrongRequest;
  } else {
    status = BackendError(ended.error());
  }
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

// bubblewrap stands for "a sandbox without another root", and is what the SDK looks for.
int PrintBackends() {
  const nlohmann::ordered_json backends = nlohmann::json::array({{{"backend", "bubblewrap"}}, {{"backend", "lxc"}}});
  Say(stdout, backends.dump(2) + "\n");
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
  Result<policy::Policy> policy =
      policy::ReadPolicy(config->text, {.source = config->source, .format = policy::Format::kJson});
  if (policy.ok()) {
    if (Result<void> fits = CheckForCompatibility(*policy, options); !fits.ok()) policy = std::move(fits).error();
  }
  if (!policy.ok()) {
    const Error& error = policy.error();
    // Of a backend that no Linux has. wslc runs under mxc, but a caller of Microsoft's executor was never given it here.
    if (error.code() == Code::kUnsupported && error.position() && error.position()->pointer == "/containment") {
      Say(stderr, "error: " + Whole(error) + "\n");
      return kWrongRequest;
    }
    return WrongRequest(Whole(error));
  }
  if (policy->containment == policy::Containment::kWslc) {
    Say(stderr, "error: the 'wslc' backend is not available on Linux\n  hint: `mxc run` takes this configuration\n");
    return kWrongRequest;
  }
  client::Options run;
  run.command = client::Command::kRun;
  run.policy = config->source;
  ConfigHost host(environ, config->source, config->text);
  if (options.dry_run) return DryRun(run, host, *policy);
  return Run(options, run, host, *policy, sandbox::AreaOf(argc, argv));
}

}  // namespace
}  // namespace mxc::compat

int main(int argc, char** argv) {
  if (!mxc::sandbox::FillStandardStreams()) return mxc::compat::kBackendFailed;
  mxc::sandbox::PopulateHeap();
  return mxc::compat::Main(argc, argv);
}
