#include "shared/network/ports.h"

#include <doctest/doctest.h>

namespace mxc::network {
namespace {

using policy::Default;

Result<std::string> Lines(const policy::Policy& policy) {
  const PortRules rules = MXC_TRY(CompilePorts(policy, [](const std::string& pointer) { return "p#" + pointer; }));
  std::string text;
  for (const PortRule& rule : rules) text += Spell(rule) + "\n";
  return text;
}

policy::Policy Sharing(policy::SharedPort port) {
  policy::Policy policy;
  policy.x_linux.emplace().ports.push_back(std::move(port));
  return policy;
}

TEST_CASE("A port is shared on both loopback addresses, where the policy allows those") {
  policy::Policy policy = Sharing({true, false, {}, 8080, 3000});
  Result<std::string> refused = Lines(policy);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().find("network.ingress.hostLoopback") != std::string::npos);
  CHECK(refused.error().position()->pointer == "/x-linux/ports/0");
  policy.network.ingress = Default::kAllow;
  CHECK_FALSE(Lines(policy).ok());
  policy.network.host_loopback = Default::kAllow;
  CHECK(*Lines(policy) ==
        "in tcp 127.0.0.1/32 8080 3000 p#/x-linux/ports/0\n"
        "in tcp ::1/128 8080 3000 p#/x-linux/ports/0\n");
}

TEST_CASE("An address that other machines reach needs network.ingress.default") {
  for (const char* address : {"0.0.0.0", "192.0.2.1", "::", "::ffff:0.0.0.0"}) {
    CAPTURE(address);
    policy::Policy policy = Sharing({true, true, std::string(address), 53, 53});
    policy.network.host_loopback = Default::kAllow;
    Result<std::string> refused = Lines(policy);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message().find("network.ingress.default") != std::string::npos);
    policy.network.ingress = Default::kAllow;
    CHECK(Lines(policy).ok());
  }
  policy::Policy mapped = Sharing({true, false, std::string("::ffff:127.0.0.1"), 53, 53});
  mapped.network.ingress = Default::kAllow;
  CHECK_FALSE(Lines(mapped).ok());
}

TEST_CASE("A proxy of the host's is a port of the sandbox's") {
  for (const auto& [url, lines] :
       {std::pair{"http://localhost:8080",
                  "out tcp 127.0.0.1/32 8080 8080 p#/runtimeConfig/networkProxy\n"
                  "out tcp ::1/128 8080 8080 p#/runtimeConfig/networkProxy\n"},
        {"https://127.0.0.1:443/", "out tcp 127.0.0.1/32 443 443 p#/runtimeConfig/networkProxy\n"},
        {"http://[::1]:3128", "out tcp ::1/128 3128 3128 p#/runtimeConfig/networkProxy\n"}}) {
    policy::Policy policy;
    policy.network_proxy = std::string(url);
    CHECK(*Lines(policy) == lines);
  }
}

TEST_CASE("Lines are read again, and nothing else is") {
  for (const char* line : {"in tcp 127.0.0.1/32 8080 3000 p.json#/x-linux/ports/0", "out udp ::1/128 1 65535 a b"}) {
    CAPTURE(line);
    const Result<PortRule> rule = ParsePortRule(line);
    REQUIRE(rule.ok());
    CHECK(Spell(*rule) == line);
  }
  for (const char* line :
       {"", "in", "up tcp 127.0.0.1/32 1 1 x", "in icmp 127.0.0.1/32 1 1 x", "in tcp 127.0.0.0/8 1 1 x",
        "in tcp 127.0.0.1 1 1 x", "in tcp 127.0.0.1/32 0 1 x", "in tcp 127.0.0.1/32 1 0 x",
        "in tcp 127.0.0.1/32 65536 1 x", "in tcp 127.0.0.1/32 1", "out any ::1/128 1 1 x"}) {
    CAPTURE(line);
    CHECK_FALSE(ParsePortRule(line).ok());
  }
}

}  // namespace
}  // namespace mxc::network
