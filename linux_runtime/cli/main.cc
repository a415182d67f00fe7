// mxc for Linux and WSL shells.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <string>

#include "linux_runtime/cli/doctor_command.h"
#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/cli/remote.h"
#include "linux_runtime/cli/run_command.h"
#include "linux_runtime/sandbox/startup.h"
#include "shared/base/style.h"
#include "shared/client/commands.h"
#include "shared/client/options.h"
#include "shared/client/remote.h"

namespace mxc::cli {
namespace {

constexpr int kOurError = 125;

bool ColorOn(client::Color color, int stream) {
  if (color != client::Color::kAuto) return color == client::Color::kAlways;
  return ::isatty(stream) == 1 && ::getenv("NO_COLOR") == nullptr;
}

int PrintError(const Error& error, client::Color color) {
  std::string text = FormatError(error, ColorOn(color, 2));
  ::fwrite(text.data(), 1, text.size(), stderr);
  return kOurError;
}

Result<std::string> Look(const client::Options& options, LinuxHost& host) {
  switch (options.command) {
    case client::Command::kPlan:
      return PlanCommand(options, host);
    case client::Command::kSpec:
      return client::RunSpecCommand(options, host);
    case client::Command::kMigrate:
      return client::RunMigrateCommand(options, host);
    case client::Command::kCheck:
      return client::RunCheckCommand(options, host);
    case client::Command::kWhy:
      return client::RunWhyCommand(options, host);
    case client::Command::kProfiles:
      return client::RunProfilesCommand(options, host);
    case client::Command::kDoctor:
      return DoctorCommand(options, ColorOn(options.color, 1));
    default:
      return client::VersionText("mxc");
  }
}

int Main(int argc, char** argv) {
  client::Parsed parsed = client::ParseCommandLine(argc, argv, {.run = true, .sessions = true, .program = "mxc"});
  if (!parsed.options) {
    bool help = parsed.exit_code == 0;
    ::fputs(((help || argc == 1 ? "" : "mxc: ") + parsed.message).c_str(), help ? stdout : stderr);
    return parsed.exit_code;
  }
  const client::Options& options = *parsed.options;
  LinuxHost host(environ);
  if (client::IsRemote(options)) {
    Result<RemoteEnd> end = RemoteCommand(options, host);
    if (!end.ok()) return PrintError(end.error(), options.color);
    ::fwrite(end->text.data(), 1, end->text.size(), stdout);
    if (end->error) PrintError(*end->error, options.color);
    return end->exit_code;
  }
  if (options.command == client::Command::kRun) {
    Result<Ended> ended = RunCommand(options, host, sandbox::AreaOf(argc, argv));
    if (!ended.ok()) return PrintError(ended.error(), options.color);
    if (ended->error) PrintError(*ended->error, options.color);
    // Nothing is left to be done but to free memory.
    ::_exit(ended->exit_code);
  }
  Result<std::string> text = Look(options, host);
  if (!text.ok()) return PrintError(text.error(), options.color);
  const size_t written = ::fwrite(text->data(), 1, text->size(), stdout);
  if (written != text->size() || ::fflush(stdout) != 0) {
    return PrintError(Error(Code::kSystem, "write to standard output failed"), options.color);
  }
  return 0;
}

}  // namespace
}  // namespace mxc::cli

int main(int argc, char** argv) {
  if (!mxc::sandbox::FillStandardStreams()) return mxc::cli::kOurError;
  mxc::sandbox::PopulateHeap();
  return mxc::cli::Main(argc, argv);
}
