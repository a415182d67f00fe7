#include <algorithm>

#include "shared/base/escape_text.h"
#include "shared/base/version.h"
#include "windows_host/doctor.h"
#include "windows_host/registry.h"

namespace mxc::windows {
namespace {

using client::Finding;
using client::Status;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\r").find(text.front()) != std::string_view::npos) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string Setting(const Seen& seen, const char* name) {
  const auto found = seen.config.find(name);
  return found == seen.config.end() ? "" : found->second;
}

Finding Wsl(const Seen& seen) {
  if (!seen.wsl) return {Status::kMissing, "WSL", "there is no wsl.exe", "", "install WSL: wsl --install"};
  std::string found = seen.wsl_version.empty() ? "of an unknown version" : seen.wsl_version;
  return {Status::kOk, "WSL", found + ", " + *seen.wsl, "", ""};
}

Finding OfDistribution(const Seen& seen) {
  Finding finding{Status::kMissing, "Distribution", "", "", ""};
  Result<Distribution> chosen = Error(Code::kNotFound, "");
  if (!seen.distributions.ok()) {
    chosen = seen.distributions.error();
  } else if (*seen.distributions) {
    chosen = ChooseDistribution(**seen.distributions, seen.wanted);
  } else {
    // Where WSL keeps its list is not documented; wsl.exe itself has the last word.
    return {seen.inside.ok() ? Status::kWeaker : Status::kMissing, "Distribution",
            "WSL has registered none for this user", "",
            seen.inside.ok() ? "" : "wsl --install Debian, then mxc in it"};
  }
  if (chosen.ok() && seen.managed.ok()) {
    if (Result<void> allowed = CheckDistribution(*seen.managed, chosen->name); !allowed.ok()) chosen = allowed.error();
  }
  if (!chosen.ok()) {
    finding.found = chosen.error().message();
    finding.advice = chosen.error().hint();
    return finding;
  }
  finding.status = Status::kOk;
  finding.found = chosen->name + ", WSL 2" + (chosen->is_default ? ", the default one" : "");
  for (const Distribution& one : **seen.distributions) {
    if (one.id != chosen->id) finding.gives += (finding.gives.empty() ? "others: " : ", ") + one.name;
  }
  return finding;
}

Finding OfRelay(const Seen& seen) {
  if (!seen.inside.ok()) {
    return {Status::kMissing, "mxc inside", seen.inside.error().Describe(), "", seen.inside.error().hint()};
  }
  const std::string own = std::string("mxcd ") + kVersion;
  Finding finding{Status::kOk, "mxc inside", seen.inside->mxcd + ", " + seen.inside->greeting.program,
                  "runs and sessions", ""};
  if (seen.inside->mxcd != own) {
    finding.status = Status::kWeaker;
    finding.advice = std::string("this is mxc.exe ") + kVersion + ": install the same release in the distribution";
  }
  return finding;
}

Finding Kernel(const translate::HostFacts& facts) {
  Finding finding{Status::kOk, "Kernel",
                  "Linux " + std::to_string(facts.kernel_major) + "." + std::to_string(facts.kernel_minor), "", ""};
  if (facts.landlock_abi == 0) {
    finding.status = Status::kWeaker;
    finding.found += ", no Landlock";
    finding.advice = "wsl --update; a kernel of one's own (.wslconfig) needs CONFIG_SECURITY_LANDLOCK";
  } else {
    finding.found += ", Landlock ABI " + std::to_string(facts.landlock_abi);
  }
  finding.gives = "`mxc doctor` in the distribution tells all of it";
  return finding;
}

Finding HvSocket(const Seen& seen) {
  Finding finding{Status::kOk, "hvsocket", "", "", ""};
  const bool required = seen.managed.ok() && seen.managed->hvsocket_required;
  const bool port = seen.inside.ok() && seen.inside->greeting.port != 0;
  const bool id = seen.inside.ok() && !seen.inside->greeting.vm_id.empty();
  if (seen.hvsocket && port && id) {
    finding.found = "VM " + seen.inside->greeting.vm_id + ", port " + std::to_string(seen.inside->greeting.port);
    finding.gives = "an encrypted way to mxcd beside wsl.exe's pipes";
    return finding;
  }
  finding.status = required ? Status::kMissing : Status::kWeaker;
  finding.found = !seen.hvsocket ? "this Windows makes no sockets of that kind"
                  : !port        ? "mxcd doesn't listen for Windows"
                                 : "the distribution doesn't know its virtual machine's id";
  finding.gives = required ? "" : "the pipes of wsl.exe do";
  finding.advice = !seen.hvsocket ? ""
                   : !port        ? "start mxcd with --vsock-port 783 (mxcd.service does)"
                                  : "wsl --update: older releases have no wslinfo --vm-id";
  return finding;
}

Finding Networking(const Seen& seen) {
  const std::string mode = Lower(Setting(seen, "wsl2.networkingmode"));
  Finding finding{Status::kOk, "Networking", mode.empty() ? "WSL's default mode" : mode + " (.wslconfig)", "", ""};
  if (mode == "mirrored") {
    finding.gives = "a seccomp listener of WSL's is in each process; sandboxes need none";
  } else if (mode == "none") {
    finding.status = Status::kWeaker;
    finding.gives = "no sandbox reaches the network, whatever its policy allows";
  }
  return finding;
}

Finding Lifetimes(const Seen& seen) {
  const std::string idle = Setting(seen, "general.instanceidletimeout");
  Finding finding{Status::kOk, "Idle time", idle.empty() ? "15000 ms, WSL's own" : idle + " ms (.wslconfig)", "", ""};
  if (!idle.starts_with('-')) {
    finding.status = Status::kWeaker;
    finding.gives =
        "the distribution stops that long after its last client; a started session has one, `mxc.exe __hold`, until "
        "logoff";
    finding.advice = "[general] instanceIdleTimeout=-1 in .wslconfig, for servers";
  }
  return finding;
}

Finding Custom(const Seen& seen) {
  std::string named;
  for (const char* name : {"wsl2.kernel", "wsl2.kernelcommandline", "wsl2.safemode"}) {
    if (!Setting(seen, name).empty()) named += (named.empty() ? "" : ", ") + std::string(name).substr(5);
  }
  if (named.empty()) return {Status::kOk, "VM", "Microsoft's kernel and command line", "", ""};
  return {Status::kWeaker, "VM", named + " set in .wslconfig",
          "the kernel that holds sandboxes is not as Microsoft ships it",
          "remove it, or forbid it: AllowKernelUserSetting of WSL's policies"};
}

Finding WslPolicies(const Seen& seen) {
  if (seen.wsl_policies.empty())
    return {Status::kOk, "WSL's policies", "none are set", "users may choose kernel, command line and disks of the VM",
            ""};
  std::string all;
  for (const auto& [name, value] : seen.wsl_policies)
    all += (all.empty() ? "" : ", ") + name + "=" + std::to_string(value);
  Finding finding{Status::kOk, "WSL's policies", all, "", ""};
  const auto allow = seen.wsl_policies.find("AllowWSL");
  if (allow != seen.wsl_policies.end() && allow->second == 0) {
    finding.status = Status::kMissing;
    finding.advice = "the machine's owner has switched WSL off (HKLM\\Software\\Policies\\WSL)";
  }
  return finding;
}

Finding Managed(const Seen& seen) {
  if (!seen.managed.ok())
    return {Status::kMissing, "Machine policy", seen.managed.error().message(), "", seen.managed.error().hint()};
  if (seen.managed->digest.empty())
    return {Status::kOk, "Machine policy", "none", "policies and the distribution's floor decide", ""};
  Finding finding{Status::kOk, "Machine policy", seen.managed->digest.substr(0, 19),
                  "narrows what runs (docs/managed-windows.md)", ""};
  if (!seen.managed->enabled) {
    finding.status = Status::kMissing;
    finding.found += ", mxc.exe is switched off";
  }
  return finding;
}

Finding Rights(const Seen& seen) {
  if (!seen.elevated) return {Status::kOk, "Rights", "an ordinary user's", "", ""};
  const bool forbidden = seen.managed.ok() && !seen.managed->elevated_allowed;
  return {forbidden ? Status::kMissing : Status::kWeaker, "Rights", "an administrator's",
          "granted Windows folders are open with these rights", "use a console that isn't elevated"};
}

}  // namespace

std::map<std::string, std::string> ReadWslConfig(std::string_view text) {
  std::map<std::string, std::string> settings;
  std::string section;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    line = Trim(line.substr(0, line.find('#')));
    if (line.starts_with('[') && line.ends_with(']')) {
      section = Lower(Trim(line.substr(1, line.size() - 2)));
    } else if (const size_t equals = line.find('='); equals != std::string_view::npos && equals != 0) {
      settings[section + "." + Lower(Trim(line.substr(0, equals)))] = Trim(line.substr(equals + 1));
    }
  }
  return settings;
}

client::Report Judge(const Seen& seen) {
  client::Report report;
  report.host = std::string("mxc.exe ") + kVersion + ", Windows";
  report.findings = {Managed(seen), Rights(seen), Wsl(seen), WslPolicies(seen), OfDistribution(seen), OfRelay(seen)};
  if (seen.inside.ok()) report.findings.push_back(Kernel(seen.inside->facts));
  for (Finding& finding : std::vector<Finding>{HvSocket(seen), Networking(seen), Lifetimes(seen), Custom(seen)})
    report.findings.push_back(std::move(finding));
  return report;
}

}  // namespace mxc::windows
