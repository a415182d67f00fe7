// The ports that one sandbox shares with its host, as plain data: x-linux.ports, and runtimeConfig.networkProxy. Carried in an
// annotation, and enforced by the gateway (linux_runtime/network/gateway).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/network/ruleset.h"
#include "shared/policy/policy.h"

namespace mxc::network {

struct PortRule {
  bool inward = true;  // connections to the host's port go to the sandbox's; else the other way round
  Transport transport = Transport::kTcp;  // or kUdp
  policy::Cidr host;                      // one address: what is bound outside, or connected to there
  uint16_t host_port = 0;
  uint16_t port = 0;   // on the sandbox's loopback device
  std::string origin;  // who says so: "p.json#/x-linux/ports/0"
};
bool operator==(const PortRule& a, const PortRule& b);

using PortRules = std::vector<PortRule>;

// Where no address is named, there is a rule for 127.0.0.1 and one for ::1. name: what PortRule::origin says for a JSON
// pointer. Errors: kInvalid, an address that the readers would have refused; kRefused, at the port, naming the field that would
// have to allow it (network.ingress.default, hostLoopback).
Result<PortRules> CompilePorts(const policy::Policy& policy,
                               const std::function<std::string(const std::string&)>& name);

// One line a rule: "in tcp 127.0.0.1/32 8080 3000 p.json#/x-linux/ports/0".
std::string Spell(const PortRule& rule);
// What Spell wrote. Errors: kInvalid.
Result<PortRule> ParsePortRule(std::string_view line);

}  // namespace mxc::network
