// mxc.exe: the commands that only look, on Windows, and those that go through mxcd in a WSL distribution.
#include <windows.h>

#include <string>
#include <vector>

#include "shared/base/style.h"
#include "shared/client/commands.h"
#include "shared/client/options.h"
#include "shared/client/remote.h"
#include "windows_host/console.h"
#include "windows_host/handle.h"
#include "windows_host/managed_policy.h"
#include "windows_host/remote.h"
#include "windows_host/wide_text.h"
#include "windows_host/windows_host.h"

// mingw's own start code asks: wildcards in arguments are the program's business, and a * in a policy's command line must
// arrive as it is.
extern "C" {
int _dowildcard = 0;
}

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

int Main(int argc, wchar_t** argv) {
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
  ManagedPolicy managed;
  if (parsed.options->command != client::Command::kVersion) {
    Result<ManagedPolicy> read = ReadManagedPolicy();
    if (!read.ok()) return PrintError(read.error(), parsed.options->color);
    managed = *std::move(read);
    if (Result<void> allowed = CheckCommand(managed, *parsed.options, IsElevated()); !allowed.ok())
      return PrintError(allowed.error(), parsed.options->color);
  }
  WindowsHost host(managed.floors);
  if (client::IsRemote(*parsed.options)) {
    Result<RemoteEnd> end = RemoteCommand(*parsed.options, host, managed);
    if (!end.ok()) return PrintError(end.error(), parsed.options->color);
    if (!end->text.empty()) Output(Output::Stream::kOut).Write(end->text);
    if (end->error) PrintError(*end->error, parsed.options->color);
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

}  // namespace
}  // namespace mxc::windows

int wmain(int argc, wchar_t** argv) { return mxc::windows::Main(argc, argv); }
