#include "windows_host/program.h"

#include <windows.h>

#include <chrono>
#include <string>
#include <vector>

#include "shared/base/style.h"
#include "shared/client/commands.h"
#include "shared/client/options.h"
#include "shared/client/remote.h"
#include "windows_host/console.h"
#include "windows_host/doctor.h"
#include "windows_host/handle.h"
#include "windows_host/hold.h"
#include "windows_host/managed_policy.h"
#include "windows_host/remote.h"
#include "windows_host/wide_text.h"
#include "windows_host/windows_host.h"

namespace mxc::windows {
namespace {

constexpr int kOurError = 125;
constexpr char kProgram[] = "mxc.exe";

// auto: colours where a console understands them and NO_COLOR (https://no-color.org) is unset or empty.
bool ColorOn(client::Color color, Output& output) {
  if (color == client::Color::kNever) return false;
  bool possible = output.EnableColors();
  if (color == client::Color::kAlways) return true;
  return possible && ::GetEnvironmentVariableW(L"NO_COLOR", nullptr, 0) <= 1;
}

int PrintError(const Error& error, client::Color color) {
  Output output(Output::Stream::kError);
  output.Write(FormatError(error, ColorOn(color, output)));
  return kOurError;
}

bool IsElevated() {
  HANDLE token = nullptr;
  if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token)) return true;
  const UniqueHandle owned(token);
  TOKEN_ELEVATION elevation{};
  DWORD used = 0;
  return !::GetTokenInformation(token, TokenElevation, &elevation, sizeof elevation, &used) ||
         elevation.TokenIsElevated != 0;
}

int Diagnose(const client::Options& options, HostSockets& sockets) {
  const client::Report report = Judge(LookAround(options, sockets, IsElevated()));
  Output output(Output::Stream::kOut);
  const bool color = ColorOn(options.color, output);
  return output.Write(options.json ? client::DoctorJson(report) : client::FormatDoctor(report, output.width(), color))
             ? 0
             : kOurError;
}

Result<std::string> Look(const client::Options& options, client::Host& host) {
  switch (options.command) {
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
    case client::Command::kVersion:
      return client::VersionText(kProgram);
    default:
      break;  // through mxcd, or not offered
  }
  return Error(Code::kInternal, "a command that mxc.exe doesn't have was parsed");
}

Result<std::vector<std::string>> Arguments(int argc, wchar_t** argv) {
  std::vector<std::string> arguments;
  for (int index = 0; index < argc; ++index) {
    arguments.push_back(MXC_TRY_AS("argument " + std::to_string(index), Narrow(argv[index])));
  }
  return arguments;
}

}  // namespace

int RunProgram(int argc, wchar_t** argv, HostSockets& sockets) {
  Result<std::vector<std::string>> arguments = Arguments(argc, argv);
  if (!arguments.ok()) return PrintError(arguments.error(), client::Color::kAuto);
  std::vector<char*> pointers;
  for (std::string& argument : *arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  client::Parsed parsed = client::ParseCommandLine(
      argc, pointers.data(), {.run = false, .sessions = true, .distributions = true, .program = kProgram});
  if (!parsed.options) {
    bool help = parsed.exit_code == 0;
    Output output(help ? Output::Stream::kOut : Output::Stream::kError);
    output.Write((help ? "" : "mxc: ") + parsed.message);
    return parsed.exit_code;
  }
  const bool diagnosis = parsed.options->command == client::Command::kDoctor && !parsed.options->facts;
  if (diagnosis) return Diagnose(*parsed.options, sockets);
  ManagedPolicy managed;
  if (parsed.options->command != client::Command::kVersion) {
    Result<ManagedPolicy> read = ReadManagedPolicy();
    if (!read.ok()) return PrintError(read.error(), parsed.options->color);
    managed = *std::move(read);
    if (Result<void> allowed = CheckCommand(managed, *parsed.options, IsElevated()); !allowed.ok())
      return PrintError(allowed.error(), parsed.options->color);
  }
  if (parsed.options->command == client::Command::kHold) {
    HoldOptions hold;
    Result<std::string> distribution = DistributionFor(parsed.options->distribution, managed);
    if (!distribution.ok()) return PrintError(distribution.error(), parsed.options->color);
    hold.distribution = *std::move(distribution);
    hold.user = parsed.options->user;
    hold.away_required = managed.hvsocket_required;
    hold.every = std::chrono::milliseconds(parsed.options->every_ms);
    hold.linger = std::chrono::milliseconds(parsed.options->linger_ms);
    Result<void> held = Hold(hold, sockets);
    return held.ok() ? 0 : PrintError(held.error(), parsed.options->color);
  }
  WindowsHost host(managed.floors);
  if (client::IsRemote(*parsed.options)) {
    Result<RemoteEnd> end = RemoteCommand(*parsed.options, host, managed, sockets);
    if (!end.ok()) return PrintError(end.error(), parsed.options->color);
    if (!end->text.empty()) Output(Output::Stream::kOut).Write(end->text);
    if (end->error) PrintError(*end->error, parsed.options->color);
    if (parsed.options->command == client::Command::kStart) {
      if (Result<void> held = StartHolder(parsed.options->distribution, parsed.options->user); !held.ok()) {
        Output(Output::Stream::kError)
            .Write("mxc: warning: " + held.error().Describe() + "; the session ends with the distribution\n");
      }
    }
    return end->exit_code;
  }
  Result<std::string> text = Look(*parsed.options, host);
  if (!text.ok()) return PrintError(text.error(), parsed.options->color);
  Output output(Output::Stream::kOut);
  if (!output.Write(*text)) {
    return PrintError(Error(Code::kSystem, "write to standard output failed"), parsed.options->color);
  }
  return 0;
}

}  // namespace mxc::windows
