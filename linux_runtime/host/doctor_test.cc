// The judgement and its two forms, over made-up hosts.
#include "linux_runtime/host/doctor.h"

#include <doctest/doctest.h>

using namespace mxc;
using namespace mxc::host;

namespace {

translate::HostFacts GoodFacts() {
  translate::HostFacts facts = translate::HostFacts::Generic();
  facts.kernel_minor = 12;
  facts.landlock_abi = 6;
  facts.root = true;
  facts.raises_limits = true;
  facts.caller.user = "root";
  facts.caller.uid = 0;
  return facts;
}

Details GoodDetails() {
  Details details;
  details.release = "6.12.1";
  details.seccomp = details.seccomp_log = true;
  details.lsms = "landlock,yama";
  details.has_newidmap = true;
  details.sub_uids = details.sub_gids = 65536;
  details.fanotify_permission = true;
  details.swap_accounting = true;
  return details;
}

const Finding& Of(const Report& report, std::string_view topic) {
  for (const Finding& finding : report.findings) {
    if (finding.topic == topic) return finding;
  }
  FAIL("no finding about " << topic);
  return report.findings[0];
}

Report SmallReport() {
  return {"Linux 6.12.1, without root",
          {{Status::kOk, "seccomp", "filters", "allow-lists of system calls and their arguments", ""},
           {Status::kWeaker, "Ids", "no newuidmap", "one id only, the caller's", "as root: apt install uidmap"},
           {Status::kMissing, "WSL", "De\033[2Jbian", "", ""}}};
}

}  // namespace

TEST_CASE("a host with everything: all is ok and nothing is advised") {
  Report report = Judge(GoodFacts(), GoodDetails());
  CHECK(report.host == "Linux 6.12.1, as root, 4 processors, 8192 MiB");
  for (const Finding& finding : report.findings) {
    CAPTURE(finding.topic);
    CHECK(finding.status == Status::kOk);
    CHECK(finding.advice.empty());
    CHECK_FALSE(finding.found.empty());
    CHECK_FALSE(finding.gives.empty());
  }
}

TEST_CASE("each thing that is missing turns its line, says what is lost and what to do") {
  struct Row {
    const char* what;
    const char* topic;
    Status status;
    const char* advice;
    void (*change)(translate::HostFacts&, Details&);
  };
  const Row rows[] = {
      {"old kernel", "Kernel", Status::kMissing, "boot Linux 5.15",
       [](auto& f, auto&) { f.kernel_major = 5, f.kernel_minor = 10; }},
      {"WSL's older kernel", "Kernel", Status::kWeaker, "wsl --update",
       [](auto& f, auto&) { f.kernel_major = 5, f.kernel_minor = 15, f.wsl.is_wsl = true; }},
      {"WSL 1", "Kernel", Status::kMissing, "wsl --set-version", [](auto&, auto& d) { d.wsl1 = true; }},
      {"no Landlock", "Landlock", Status::kMissing, "lsm=landlock,yama",
       [](auto& f, auto& d) { f.landlock_abi = 0, d.lsms = "yama"; }},
      {"early Landlock", "Landlock", Status::kWeaker, "6.12", [](auto& f, auto&) { f.landlock_abi = 2; }},
      {"no seccomp", "seccomp", Status::kMissing, "CONFIG_SECCOMP_FILTER", [](auto&, auto& d) { d.seccomp = false; }},
      {"no user namespaces", "User namespaces", Status::kMissing, "user.max_user_namespaces",
       [](auto&, auto& d) { d.user_namespace_errno = 28, d.user_namespaces_off = true; }},
      {"user namespaces for root only", "User namespaces", Status::kMissing, "kernel.unprivileged_userns_clone=1",
       [](auto& f, auto& d) { f.root = false, d.user_namespace_errno = 1, d.user_namespaces_root_only = true; }},
      {"user namespaces without rights", "User namespaces", Status::kMissing, "AppArmor profile",
       [](auto& f, auto& d) { f.root = false, d.user_namespace_errno = 1, d.apparmor_restricts = true; }},
      {"user namespaces under a filter", "User namespaces", Status::kMissing, "in a container",
       [](auto&, auto& d) { d.user_namespace_errno = 1; }},
      {"no time namespace", "Namespaces", Status::kWeaker, "CONFIG_NAMESPACES",
       [](auto&, auto& d) { d.missing_namespaces = {"time"}; }},
      {"no network namespace", "Namespaces", Status::kMissing, "CONFIG_NAMESPACES",
       [](auto&, auto& d) { d.missing_namespaces = {"net"}; }},
      {"no newuidmap", "Ids", Status::kWeaker, "apt install uidmap",
       [](auto& f, auto& d) { f.root = false, d.has_newidmap = false; }},
      {"no ranges", "Ids", Status::kWeaker, "usermod --add-subuids", [](auto& f, auto&) { f.root = false; }},
      {"rootless", "Denied paths", Status::kWeaker, "on_exposed: kill", [](auto& f, auto&) { f.root = false; }},
      {"no fanotify", "Denied paths", Status::kWeaker, "CONFIG_FANOTIFY",
       [](auto&, auto& d) { d.fanotify_permission = false; }},
      {"no cpu controller", "cgroup", Status::kWeaker, "enable it",
       [](auto& f, auto& d) {
         f.cgroup.controllers = {"memory", "pids"}, d.cgroup_why_not = "enable it";
       }},
      {"no cgroup", "cgroup", Status::kMissing, "no delegation",
       [](auto& f, auto& d) { f.cgroup.controllers = {}, d.cgroup_why_not = "no delegation"; }},
      {"swap not counted", "cgroup", Status::kWeaker, "swapaccount=1",
       [](auto&, auto& d) { d.swap_accounting = false; }},
      {"docker group", "Groups", Status::kWeaker, "leave the groups",
       [](auto&, auto& d) {
         d.dangerous_groups = {{"docker", "starts containers as root"}};
       }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    translate::HostFacts facts = GoodFacts();
    Details details = GoodDetails();
    row.change(facts, details);
    Report report = Judge(facts, details);
    const Finding& finding = Of(report, row.topic);
    CHECK(finding.status == row.status);
    CHECK(finding.advice.find(row.advice) != std::string::npos);
  }
}

TEST_CASE("on WSL the doors that are shut are named") {
  translate::HostFacts facts = GoodFacts();
  Details details = GoodDetails();
  facts.wsl = {true, "mirrored", "Ubuntu"};
  details.wsl_interop = details.wsl_gpu = true;
  Finding finding = Of(Judge(facts, details), "WSL");
  CHECK(finding.status == Status::kOk);
  CHECK(finding.found == "version 2, Ubuntu, network mirrored, GPU by /dev/dxg");
  CHECK(finding.gives.find("AF_VSOCK") != std::string::npos);
  CHECK(finding.gives.find("starting Windows programs") != std::string::npos);
}

TEST_CASE("as text, 60 columns wide") {
  CHECK(FormatDoctor(SmallReport(), 60) == R"(Linux 6.12.1, without root

ok       seccomp          filters
                          allow-lists of system calls and
                          their arguments
weaker   Ids              no newuidmap
                          one id only, the caller's
                          -> as root: apt install uidmap
missing  WSL              De\x1b[2Jbian

1 ok, 1 weaker, 1 missing
)");
}

TEST_CASE("colours mark the status and nothing else") {
  std::string plain = FormatDoctor(SmallReport(), 60), colored = FormatDoctor(SmallReport(), 60, true);
  CHECK(colored.find("\033[32mok       \033[0m") != std::string::npos);
  CHECK(colored.find("\033[31mmissing  \033[0m") != std::string::npos);
  CHECK(colored.find("\033[2J") == std::string::npos);
  CHECK(plain.find('\033') == std::string::npos);
}

TEST_CASE("no line is wider than asked, but for words that can't be broken") {
  for (int width : {10, 40, 80, 200}) {
    std::string text = FormatDoctor(Judge(translate::HostFacts::Generic(), GoodDetails()), width);
    size_t limit = static_cast<size_t>(std::max(width, 40));
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find('\n', at);
      std::string line = text.substr(at, end - at);
      at = end + 1;
      bool one_word = line.size() > 26 && line.find(' ', 26) == std::string::npos;
      CAPTURE(line);
      if (at > text.find("\n\n") + 2) CHECK((line.size() <= limit || one_word));
    }
  }
}

TEST_CASE("as JSON") {
  CHECK(DoctorJson({"h", {{Status::kWeaker, "Ids", "a \"b\"\xff", "c", ""}}}) == R"({
  "host": "h",
  "findings": [
    {
      "topic": "Ids",
      "status": "weaker",
      "found": "a \"b\"�",
      "gives": "c",
      "advice": ""
    }
  ]
}
)");
}

TEST_CASE("this host can be diagnosed") {
  auto report = Diagnose();
  REQUIRE_MESSAGE(report.ok(), report.error().Describe());
  CHECK(report->findings.size() == 12);
}

TEST_CASE("network rules: where the kernel has what they need, and without root TCP only where there is no link") {
  translate::HostFacts facts = GoodFacts();
  Details details = GoodDetails();
  details.network_lacks = "veth";
  CHECK(Of(Judge(facts, details), "Network").status == Status::kMissing);
  CHECK(Of(Judge(facts, details), "Network").found == "no veth");
  details.network_lacks.clear();
  facts.root = true;
  CHECK(Of(Judge(facts, details), "Network").status == Status::kOk);
  facts.root = false;
  CHECK(Of(Judge(facts, details), "Network").status == Status::kOk);
  facts.link_missing = "/dev/net/tun may not be opened";
  CHECK(Of(Judge(facts, details), "Network").status == Status::kWeaker);
  CHECK(Of(Judge(facts, details), "Network").found.find("/dev/net/tun") != std::string::npos);
}
