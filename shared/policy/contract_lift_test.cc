// Old contracts: what each version has, how its words are lifted to today's, and what is refused.
#include <doctest/doctest.h>

#include <string>

#include "shared/policy/read_case.h"
#include "shared/policy/write.h"

namespace mxc::policy {
namespace {

std::string Of(const std::string& version, const std::string& members) {
  return "{\"version\":\"" + version + "\",\"process\":{\"commandLine\":\"x\"}" + (members.empty() ? "" : ",") +
         members + "}";
}

// The lifted policy as the newest contract writes it, on one line.
std::string Lifted(const std::string& version, const std::string& members) {
  const Result<Policy> policy = ReadPolicy(Of(version, members), {.source = "p"});
  if (!policy.ok()) return Outcome(policy.error());
  CHECK(policy->declared_version == version);
  std::string line;
  for (const char c : WritePolicy(*policy)) {
    if (c != '\n' && c != ' ') line += c;
  }
  const std::string head = "{\"version\":\"" + policy->version + "\",", process = "\"process\":{\"commandLine\":\"x\"}";
  REQUIRE(line.starts_with(head));
  line.erase(0, head.size());
  line.erase(line.find(process), process.size());
  return line.substr(0, line.size() - 1);
}

TEST_CASE("Every version is read, and the same words mean the same") {
  for (const char* version : {"0.4.0-alpha", "0.5.0-alpha", "0.6.0-alpha", "0.7.0-alpha", "0.8.0-alpha", "0.9.0-alpha",
                              "1.0.0", "1.1.0-alpha"}) {
    CAPTURE(version);
    const std::string text = Of(version, R"("$schema":"s","_comment":null,"containment":"lxc","containerId":"c",
      "lxc":{"distribution":"alpine","release":"3.20"},"lifecycle":{"destroyOnExit":false},
      "network":{},"filesystem":{"readonlyPaths":["/a"],"readwritePaths":["/b"],"deniedPaths":["/c"]})");
    const Result<Policy> policy = ReadPolicy(text, {.source = "p"});
    REQUIRE_MESSAGE(policy.ok(), policy.error().Describe());
    CHECK(policy->containment == Containment::kLxc);
    CHECK(policy->lxc == Lxc{"alpine", "3.20"});
    CHECK(policy->filesystem == Filesystem{{"/a"}, {"/b"}, {"/c"}});
    CHECK_FALSE(policy->lifecycle.destroy_on_exit);
    CHECK(policy->positions.at("/filesystem/deniedPaths/0").line == 3);
    // 0.6 turned the default around.
    CHECK((policy->network.egress == Default::kAllow) == (std::string(version) < "0.6"));
  }
}

TEST_CASE("What 0.4 and 0.5 granted by saying nothing is said") {
  CHECK(Lifted("0.4.0-alpha", "\"containment\":\"lxc\",\"lxc\":{\"distribution\":\"a\",\"release\":\"1\"}") ==
        R"("containment":"lxc",,"network":{"egress":{"default":"allow"}},"lxc":{"distribution":"a","release":"1"})");
  CHECK(Lifted("0.5.0-alpha", "\"containment\":\"wslc\",\"network\":{\"defaultPolicy\":\"block\"}") ==
        R"("containment":"wslc",)");
  const std::string refused =
      "UNSUPPORTED the containment \"processcontainer\" is not available on Linux | use "
      "\"process\", which is also the default";
  CHECK(Lifted("0.4.0-alpha", "") == "1:1 /containment: " + refused);
  CHECK(Lifted("0.5.0-alpha", "\"containment\":\"appcontainer\",\"appContainer\":{\"leastPrivilege\":true}") ==
        "1:70 /containment: " + refused);
}

TEST_CASE("The experimental block of 0.5 becomes sections") {
  CHECK(Lifted("0.5.0-alpha", R"("containment":"wslc","network":{"defaultPolicy":"block"},
    "experimental":{"test":{"message":"m"},"wslc":{"cpuCount":2,"memoryMb":512,"targetOs":"linux"}})") ==
        R"("containment":"wslc",,"wslc":{"cpuCount":2,"memoryMb":512,"targetOs":"linux"})");
  CHECK(Lifted("0.5.0-alpha", R"("containment":"wslc","experimental":{"wsl":{}})").find("unknown field \"wsl\"") !=
        std::string::npos);
  CHECK(Lifted("0.5.0-alpha", R"("containment":"wslc","experimental":[])").find("expected an object") !=
        std::string::npos);
  CHECK(Lifted("0.6.0-alpha", R"("experimental":{})") ==
        "1:56 /experimental: the field \"experimental\" is gone since contract 0.6.0-alpha | its sections stand at the "
        "top level");
}

TEST_CASE("The network fields of before 0.9 become rules") {
  CHECK(
      Lifted("0.6.0-alpha", R"("network":{"defaultPolicy":"block","enforcementMode":"both","allowedHosts":["192.0.2.1",
    "2001:db8::/32"],"blockedHosts":["198.51.100.0/24"],"allowLocalNetwork":false})") ==
      R"(,"network":{"egress":{"allow":[{"to":[{"cidr":"192.0.2.1"}]},{"to":[{"cidr":"2001:db8::/32"}]}],)"
      R"("deny":[{"to":[{"cidr":"198.51.100.0/24"}]}]}})");
  CHECK(Lifted("0.8.0-alpha", R"("network":{"defaultPolicy":"allow"})") ==
        R"(,"network":{"egress":{"default":"allow"}})");
  CHECK(Lifted("0.7.0-alpha", R"("network":{"proxy":{"localhost":8080}})") ==
        R"(,"runtimeConfig":{"networkProxy":"http://127.0.0.1:8080"})");
  CHECK(Lifted("0.5.0-alpha", R"("containment":"wslc","network":{"proxy":{"url":"http://localhost:1"}})") ==
        R"("containment":"wslc",,"runtimeConfig":{"networkProxy":"http://localhost:1"})");
  CHECK(Lifted("0.8.0-alpha", R"("network":{"egress":{"default":"allow"},"ingress":{"hostLoopback":"allow"}})") ==
        R"(,"network":{"egress":{"default":"allow"},"ingress":{"hostLoopback":"allow"}})");
}

TEST_CASE("What has no meaning today is refused where it stands") {
  const auto message = [](const char* version, const char* members) { return Lifted(version, members); };
  CHECK(message("0.6.0-alpha", R"("network":{"allowedHosts":["192.0.2.1","api.example.org"]})") ==
        "1:95 /network/allowedHosts/1: UNSUPPORTED the host name \"api.example.org\" can't be allowed or denied by "
        "address rules | name address ranges; a name's addresses change");
  CHECK(message("0.8.0-alpha", R"("network":{"allowLocalNetwork":true})") ==
        "1:87 /network/allowLocalNetwork: UNSUPPORTED access to \"the local network\" has no address ranges | write "
        "network.egress.allow with the local ranges, or network.ingress.hostLoopback");
  CHECK(message("0.8.0-alpha", R"("network":{"defaultPolicy":"block","egress":{}})").find("can't stand together") !=
        std::string::npos);
  CHECK(message("0.8.0-alpha", R"("network":{"proxy":{"builtinTestServer":true}})").find("does not exist here") !=
        std::string::npos);
  CHECK(message("0.8.0-alpha", R"("network":{"proxy":{"localhost":1,"url":"http://localhost:2"}})").find("twice") !=
        std::string::npos);
  CHECK(message("0.6.0-alpha", R"("network":{"defaultPolicy":"deny"})").find("expected one of \"allow\", \"block\"") !=
        std::string::npos);
  CHECK(message("0.6.0-alpha", R"("network":{"allowedHosts":["10.0.0.1/8"]})").find("/network/allowedHosts/0") !=
        std::string::npos);
  CHECK(
      message("0.6.0-alpha", R"("network":{"defaultPolicy":"allow","proxy":{"localhost":1}})").find("a proxy needs") !=
      std::string::npos);
}

TEST_CASE("A field of another version says when it came or went") {
  CHECK(
      Lifted("0.6.0-alpha", R"("network":{"egress":{"default":"deny"}})") ==
      "1:67 /network/egress: the field \"egress\" comes with contract 0.8.0-alpha, and this document is of 0.6.0-alpha "
      "| `mxc migrate` writes the document anew in the newest form");
  CHECK(Lifted("1.0.0", R"("network":{"defaultPolicy":"block"})") ==
        "1:61 /network/defaultPolicy: the field \"defaultPolicy\" is gone since contract 0.9.0-alpha | write "
        "network.egress.default: \"allow\" or \"deny\"");
  CHECK(Lifted("0.8.0-alpha", R"("wslc":{})").find("comes with contract 0.9.0-alpha") != std::string::npos);
  CHECK(Lifted("0.4.0-alpha", R"("ui":{})").find("comes with contract 0.5.0-alpha") != std::string::npos);
  CHECK(Lifted("1.0.0", R"("containment":"vm")").find("the containment \"vm\" comes with contract 1.1.0-alpha") !=
        std::string::npos);
  CHECK(Lifted("1.0.0", R"("containment":"appcontainer")")
            .find("is gone since contract 1.0.0 | write "
                  "\"processcontainer\"") != std::string::npos);
  CHECK(Lifted("0.8.0-alpha", R"("process2":{})").find("unknown field") != std::string::npos);
}

TEST_CASE("null is absent in 0.8 and an error in every other version") {
  const std::string members =
      R"("containment":null,"network":{"egress":null},"filesystem":{"deniedPaths":null},"ui":{"disable":null})";
  CHECK(Lifted("0.8.0-alpha", members) == "");
  for (const char* version : {"0.6.0-alpha", "0.9.0-alpha", "1.0.0", "1.1.0-alpha"}) {
    CAPTURE(version);
    CHECK(Lifted(version, R"("containment":null)").find("/containment: expected") != std::string::npos);
  }
}

TEST_CASE("Aliases end with 0.9") {
  const std::string refused = "the containment \"seatbelt\" is not available on Linux";
  CHECK(Lifted("0.9.0-alpha", R"("containment":"macos_sandbox","macos_sandbox":{"nestedPty":true})").find(refused) !=
        std::string::npos);
  CHECK(Lifted("0.9.0-alpha", R"("appContainer":{},"processContainer":{})").find("both are here") != std::string::npos);
  CHECK(Lifted("0.7.0-alpha", R"("containment":"seatbelt","seatbelt":{"launchMethod":"open"})").find(refused) !=
        std::string::npos);
  CHECK(Lifted("1.0.0", R"("appContainer":{})").find("gone since contract 1.0.0 | write processContainer") !=
        std::string::npos);
}

TEST_CASE("wslc and mxc are sandboxes of ours") {
  CHECK(Lifted("1.0.0", R"("containment":"mxc")") == R"("containment":"mxc",)");
  CHECK(Lifted("1.0.0",
               R"("containment":"wslc","wslc":{"cpuCount":2,"portMappings":[{"windowsPort":1,"containerPort":2}]})") ==
        R"("containment":"wslc",,"wslc":{"cpuCount":2,"portMappings":[{"containerPort":2,"windowsPort":1}]})");
  CHECK(Lifted("1.0.0", R"("containment":"wslc","wslc":{"portMappings":[{"windowsPort":0,"containerPort":2}]})")
            .find("/wslc/portMappings/0/windowsPort") != std::string::npos);
  CHECK(Lifted("1.0.0", R"("wslc":{})").find("does not belong to containment \"process\"") != std::string::npos);
}

}  // namespace
}  // namespace mxc::policy
