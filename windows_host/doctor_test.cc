#include "windows_host/doctor.h"

#include <algorithm>
#include <string>

#include "doctest/doctest.h"
#include "shared/base/version.h"

namespace mxc::windows {
namespace {

using client::Status;

Seen Good() {
  Seen seen;
  seen.wsl.emplace("C:\\Program Files\\WSL\\wsl.exe");
  seen.wsl_version = "2.6.1.0";
  seen.distributions = std::optional<std::vector<Distribution>>({{"{A}", "Debian", 2, true, true}});
  seen.config = {{"general.instanceidletimeout", "-1"}};
  seen.hvsocket = true;
  Inside inside;
  inside.greeting.program = "mxc-relay 0";
  inside.greeting.vm_id = "{0}";
  inside.greeting.port = 783;
  inside.mxcd = std::string("mxcd ") + kVersion;
  inside.facts = translate::HostFacts::Generic();
  seen.inside = inside;
  return seen;
}

const client::Finding& Find(const client::Report& report, const std::string& topic) {
  const auto found =
      std::find_if(report.findings.begin(), report.findings.end(), [&](const auto& one) { return one.topic == topic; });
  REQUIRE(found != report.findings.end());
  return *found;
}

TEST_CASE("A machine on which all is well") {
  for (const client::Finding& finding : Judge(Good()).findings) {
    CAPTURE(finding.topic);
    CHECK(finding.status == Status::kOk);
    CHECK(finding.advice.empty());
  }
}

TEST_CASE("What is wrong is told on its line, with what to do") {
  struct Row {
    const char* topic;
    Status status;
    const char* part;
    void (*change)(Seen& seen);
  };
  const Row rows[] = {
      {"WSL", Status::kMissing, "wsl --install", [](Seen& seen) { seen.wsl.reset(); }},
      {"Distribution", Status::kMissing, "wsl --install",
       [](Seen& seen) { seen.distributions = std::optional<std::vector<Distribution>>(std::in_place); }},
      {"Distribution", Status::kMissing, "there are: Debian", [](Seen& seen) { seen.wanted = "Fedora"; }},
      {"Distribution", Status::kMissing, "DeniedDistributions",
       [](Seen& seen) { seen.managed->denied_distributions = {"debian"}; }},
      {"Distribution", Status::kMissing, "wsl --set-version", [](Seen& seen) { (**seen.distributions)[0].wsl = 1; }},
      {"mxc inside", Status::kMissing, "nobody",
       [](Seen& seen) { seen.inside = Error(Code::kSystem, "nobody answers"); }},
      {"mxc inside", Status::kWeaker, "same release", [](Seen& seen) { seen.inside->mxcd = "mxcd 0.0.1"; }},
      {"Kernel", Status::kWeaker, "no Landlock", [](Seen& seen) { seen.inside->facts.landlock_abi = 0; }},
      {"hvsocket", Status::kWeaker, "pipes", [](Seen& seen) { seen.hvsocket = false; }},
      {"hvsocket", Status::kWeaker, "--vsock-port", [](Seen& seen) { seen.inside->greeting.port = 0; }},
      {"hvsocket", Status::kWeaker, "wsl --update", [](Seen& seen) { seen.inside->greeting.vm_id.clear(); }},
      {"hvsocket", Status::kMissing, "no sockets",
       [](Seen& seen) {
         seen.hvsocket = false;
         seen.managed->hvsocket_required = true;
       }},
      {"Networking", Status::kWeaker, "no sandbox", [](Seen& seen) { seen.config["wsl2.networkingmode"] = "None"; }},
      {"Idle time", Status::kWeaker, "instanceIdleTimeout", [](Seen& seen) { seen.config.clear(); }},
      {"VM", Status::kWeaker, "kernelcommandline",
       [](Seen& seen) { seen.config["wsl2.kernelcommandline"] = "init=/x"; }},
      {"WSL's policies", Status::kMissing, "switched WSL off", [](Seen& seen) { seen.wsl_policies["AllowWSL"] = 0; }},
      {"Machine policy", Status::kMissing, "Enabled",
       [](Seen& seen) { seen.managed = Error(Code::kInvalid, "Enabled has to be"); }},
      {"Rights", Status::kWeaker, "administrator", [](Seen& seen) { seen.elevated = true; }},
      {"Rights", Status::kMissing, "administrator",
       [](Seen& seen) {
         seen.elevated = true;
         seen.managed->elevated_allowed = false;
       }},
  };
  for (const Row& row : rows) {
    Seen seen = Good();
    row.change(seen);
    CAPTURE(std::string(row.topic));
    const client::Report report = Judge(seen);
    const client::Finding& finding = Find(report, row.topic);
    CHECK(finding.status == row.status);
    CHECK((finding.found + finding.gives + finding.advice).find(row.part) != std::string::npos);
  }
}

TEST_CASE("A .wslconfig as people write it") {
  const auto config = ReadWslConfig(
      "\xef\xbb\xbf# mine\r\n[WSL2]\r\nnetworkingMode = mirrored # "
      "as\nkernel=C:\\\\k\n[general]\ninstanceIdleTimeout=-1\nx\n=y\n[");
  CHECK(config == std::map<std::string, std::string>{{"general.instanceidletimeout", "-1"},
                                                     {"wsl2.kernel", "C:\\\\k"},
                                                     {"wsl2.networkingmode", "mirrored"}});
}

}  // namespace
}  // namespace mxc::windows
