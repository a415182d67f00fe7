#include "linux_runtime/cli/doctor_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/host/doctor.h"
#include "shared/translate/host_facts.h"

namespace mxc::cli {
namespace {

// The environment holds tokens, and facts are shown, stored and sent: only what says how to talk to the user goes along.
bool IsHarmless(std::string_view name) {
  constexpr std::string_view kNames[] = {"COLORTERM", "HOME", "LANG", "LANGUAGE",
                                         "TERM",      "TZ",   "USER", "XDG_RUNTIME_DIR"};
  return name.starts_with("LC_") || std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

Result<std::string> DoctorCommand(const client::Options& options, bool color) {
  if (options.facts) {
    LinuxHost host(environ);
    translate::HostFacts facts = MXC_TRY(host.Facts());
    facts.caller.own_programs = MXC_TRY(host.Caller()).own_programs;
    std::erase_if(facts.caller.env, [](const auto& variable) { return !IsHarmless(variable.first); });
    return translate::WriteHostFacts(facts);
  }
  host::Report report = MXC_TRY(host::Diagnose());
  if (options.json) return host::DoctorJson(report);
  winsize window{};
  int width = 80;
  if (::ioctl(1, TIOCGWINSZ, &window) == 0 && window.ws_col != 0) width = std::clamp<int>(window.ws_col, 40, 120);
  return host::FormatDoctor(report, width, color);
}

}  // namespace mxc::cli
