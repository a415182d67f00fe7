#include <doctest/doctest.h>

#include <string>

#include "shared/policy/read_case.h"

namespace mxc::policy {
namespace {

TEST_CASE("network: directions and rules") {
  const auto rule = [](const std::string& body) {
    return With("\"network\":{\"egress\":{\"allow\":[\n" + body + "]}}");
  };
  const std::string port = "expected a whole number from 1 to 65535, found ";
  const std::string everyone = " | leave it out to mean every one";
  CheckReads({
      {With("\"network\":{}"), "ok"},
      {With("\"network\":{\"egress\":{\"default\":\"allow\"},\"ingress\":{\"default\":\"deny\",\"hostLoopback\":"
            "\"allow\"}}"),
       "ok"},
      {With("\"network\":{\"egress\":{\"default\":\"block\"}}"),
       "2:32 /network/egress/default: expected one of \"allow\", \"deny\", found the string \"block\""},
      {With("\"network\":{\"ingress\":{\"allow\":[]}}"),
       "2:23 /network/ingress/allow: unknown field \"allow\" | known here: default, hostLoopback"},
      {With("\"network\":{\"defaultPolicy\":\"block\"}"),
       "2:12 /network/defaultPolicy: the field \"defaultPolicy\" is gone since contract 0.9.0-alpha | write "
       "network.egress.default: "
       "\"allow\" or \"deny\""},
      {With("\"network\":{\"allowedHosts\":[]}"),
       "2:12 /network/allowedHosts: the field \"allowedHosts\" is gone since contract 0.9.0-alpha | write "
       "network.egress.allow "
       "with "
       "address ranges"},
      {With("\"network\":{\"proxy\":{}}"),
       "2:12 /network/proxy: the field \"proxy\" is gone since contract 0.9.0-alpha | write "
       "runtimeConfig.networkProxy"},
      {rule("{}"), "ok"},
      {rule("{\"to\":[{\"cidr\":\"10.0.0.0/8\",\"except\":[\"10.1.0.0/16\",\"10.0.0.0/8\"]}],\"ports\":[{}]}"), "ok"},
      {rule("{\"to\":[{\"cidr\":\"2001:db8::/32\",\"except\":[]}]}"), "ok"},
      {rule("{\"to\":[]}"), "3:7 /network/egress/allow/0/to: the list is empty" + everyone},
      {rule("{\"ports\":[]}"), "3:10 /network/egress/allow/0/ports: the list is empty" + everyone},
      {rule("{},\n{\"to\":[{}]}"), "4:8 /network/egress/allow/1/to/0/cidr: required field \"cidr\" is missing"},
      {rule("{\"to\":[{\"cidr\":\"example.org\"}]}"),
       "3:16 /network/egress/allow/0/to/0/cidr: \"example.org\" is no IP address or CIDR range | write "
       "\"192.0.2.0/24\" or "
       "\"2001:db8::/32\"; host names are not resolved"},
      {rule("{\"to\":[{\"cidr\":\"10.0.0.1/8\"}]}"),
       "3:16 /network/egress/allow/0/to/0/cidr: \"10.0.0.1/8\" has host bits set behind its prefix | write the "
       "network's own "
       "address, or a longer prefix"},
      {rule("{\"to\":[{\"except\":[\"11.0.0.0/8\"],\"cidr\":\"10.0.0.0/8\"}]}"),
       "3:19 /network/egress/allow/0/to/0/except/0: \"11.0.0.0/8\" is not part of \"10.0.0.0/8\" | an exception takes "
       "away from "
       "its own cidr only; a rule under deny stands for itself"},
      {rule("{\"to\":[{\"cidr\":\"10.0.0.0/8\",\"except\":[\"::/0\"]}]}"),
       "3:39 /network/egress/allow/0/to/0/except/0: \"::/0\" is not part of \"10.0.0.0/8\" | an exception takes away "
       "from its "
       "own cidr only; a rule under deny stands for itself"},
      {rule("{\"to\":[\"10.0.0.0/8\"]}"),
       "3:8 /network/egress/allow/0/to/0: expected an object, found the string \"10.0.0.0/8\""},
      {rule("{\"ports\":[{\"protocol\":\"tcp\",\"port\":1,\"endPort\":65535}]}"), "ok"},
      {rule("{\"ports\":[{\"protocol\":\"TCP\"}]}"),
       "3:23 /network/egress/allow/0/ports/0/protocol: expected one of \"tcp\", \"udp\", \"icmp\", \"any\", found the "
       "string "
       "\"TCP\" | did you mean \"tcp\"?"},
      {rule("{\"ports\":[{\"port\":0}]}"), "3:19 /network/egress/allow/0/ports/0/port: " + port + "the number 0"},
      {rule("{\"ports\":[{\"port\":65536}]}"),
       "3:19 /network/egress/allow/0/ports/0/port: " + port + "the number 65536"},
      {rule("{\"ports\":[{\"endPort\":5}]}"),
       "3:22 /network/egress/allow/0/ports/0/endPort: endPort needs port, the start of the range"},
      {rule("{\"ports\":[{\"endPort\":5,\"port\":6}]}"),
       "3:22 /network/egress/allow/0/ports/0/endPort: endPort 5 is below port 6"},
      {rule("{\"ports\":[{\"port\":6,\"endPort\":6}]}"), "ok"},
      {rule("{\"ports\":[{\"port\":6,\"protocol\":\"icmp\"}]}"),
       "3:19 /network/egress/allow/0/ports/0/port: icmp has no ports"},
  });
}

TEST_CASE("runtimeConfig.networkProxy is on this host and the only way out") {
  const auto proxy = [](const std::string& url) {
    return With("\"runtimeConfig\":{\"networkProxy\":\"" + url + "\"}");
  };
  const auto refused = [](const std::string& url, const std::string& why) {
    return "2:33 /runtimeConfig/networkProxy: the proxy \"" + url + "\" " + why +
           " | write it like \"http://127.0.0.1:8080\"";
  };
  std::vector<ReadCase> cases = {
      {With("\"runtimeConfig\":{}"), "ok"},
      {With("\"runtimeConfig\":{\"proxy\":1}"),
       "2:18 /runtimeConfig/proxy: unknown field \"proxy\" | known here: networkProxy"},
  };
  for (const char* url : {"http://localhost:1", "https://127.0.0.1:65535", "http://[::1]:8080/"})
    cases.push_back({proxy(url), "ok"});
  const std::vector<ReadCase> bad = {
      {"socks5://localhost:1", "is no http:// or https:// URL"},
      {"localhost:1", "is no http:// or https:// URL"},
      {"http://u:p@localhost:1", "carries credentials, which the policy's readers would see"},
      {"http://localhost.evil:1", "names no port"},
      {"http://10.0.0.1:80", "is not on this host (localhost, 127.0.0.1 or [::1])"},
      {"http://localhost", "names no port"},
      {"http://localhost:0", "names no port from 1 to 65535"},
      {"http://localhost:65536", "names no port from 1 to 65535"},
      {"http://localhost:80/x", "names no port from 1 to 65535"},
      {"http://localhost: 80", "names no port from 1 to 65535"},
  };
  for (const ReadCase& one : bad) cases.push_back({proxy(one.text), refused(one.text, one.outcome)});
  const std::string exclusive =
      "/runtimeConfig/networkProxy: a proxy needs network.egress.default \"deny\", no rules and no x-linux.domains | "
      "let the proxy decide, or remove it and write rules";
  for (const char* egress : {"\"default\":\"allow\"", "\"allow\":[{}]", "\"deny\":[{}]"}) {
    cases.push_back({With("\"network\":{\"egress\":{" + std::string(egress) +
                          "}},\n\"runtimeConfig\":{\"networkProxy\":\"http://localhost:1\"}"),
                     "3:33 " + exclusive});
  }
  for (const char* domains : {R"("allow":["a.org"])", R"("deny":["a.org"])", R"("groups":["pypi"])"}) {
    cases.push_back({With("\"x-linux\":{\"domains\":{" + std::string(domains) +
                          "}},\n\"runtimeConfig\":{\"networkProxy\":\"http://localhost:1\"}"),
                     "3:33 " + exclusive});
  }
  CheckReads(cases);
}

}  // namespace
}  // namespace mxc::policy
