#include "shared/translate/generated_files.h"

#include <algorithm>

#include "shared/network/names.h"
#include "shared/network/ruleset.h"
#include "shared/policy/cidr.h"

namespace mxc::translate {
namespace {

constexpr uint32_t kNobody = 65534;

// What useradd(8) takes and domain-joined machines use; anything else could forge a line.
bool IsLoginName(const std::string& name) {
  auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == '@' || c == '\\' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
  };
  return !name.empty() && name.size() <= 256 && name[0] != '-' && name != "root" && name != "nobody" &&
         std::all_of(name.begin(), name.end(), good);
}

bool IsHome(const std::string& path) { return path.starts_with('/') && path.find_first_of(":\n") == std::string::npos; }

std::string Passwd(const CallerFacts& caller) {
  std::string home = IsHome(caller.home) ? caller.home : "/";
  std::string text = "root:x:0:0:root:" + (caller.uid == 0 ? home : std::string("/root")) + ":/bin/sh\n";
  if (caller.uid != 0 && caller.uid != kNobody) {
    std::string name = IsLoginName(caller.user) ? caller.user : "user";
    text += name + ":x:" + std::to_string(caller.uid) + ':' + std::to_string(caller.gid) + "::" + home + ":/bin/sh\n";
  }
  return text + "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
}

std::string Group(const CallerFacts& caller) {
  std::string text = "root:x:0:\n";
  if (caller.gid != 0 && caller.gid != kNobody) {
    std::string name = IsLoginName(caller.group) && caller.group != "nogroup" ? caller.group : "user";
    text += name + ":x:" + std::to_string(caller.gid) + ":\n";
  }
  return text + "nogroup:x:65534:\n";
}

// Names go to the gateway where there are rules about them, and where everything may leave: the host's own name servers are often
// at an address of the host, which no default opens. Else to those of the host's that the rules let the sandbox ask; with none,
// look-ups fail at once.
std::string ResolvConf(const policy::EffectivePolicy& policy, const HostFacts& facts) {
  if (!policy.name_rules.empty() || network::DefaultAllows(policy.egress_rules)) {
    return std::string("nameserver ") + network::kNameServer + "\noptions timeout:5 attempts:2\n";
  }
  if (policy.egress_rules.empty()) return "# no network in this sandbox\noptions timeout:1 attempts:1\n";
  constexpr policy::Cidr kLoopback{false, {127}, 8};
  std::string text;
  for (const std::string& server : facts.nameservers) {
    const Result<policy::Cidr> address = policy::ParseCidr(server);
    if (!address.ok() || server.find('/') != std::string::npos || kLoopback.Contains(*address)) continue;
    const network::Destination to{network::Transport::kUdp, *address, 53};
    if (!policy.egress_rules[network::Decide(policy.egress_rules, to, {})].allow) continue;
    text += "nameserver " + server + "\n";
  }
  if (text.empty()) text = "# the network rules allow no name server of the host's, port 53\n";
  return text + "options timeout:2 attempts:2\n";
}

}  // namespace

void AddGeneratedFiles(const policy::EffectivePolicy& policy, const HostFacts& facts, const PathLayout& layout,
                       std::map<std::string, std::string>& files) {
  auto add = [&](const char* path, auto content) {
    if (!layout.ShowsHost(path)) files.emplace_hint(files.end(), path, content());
  };
  const std::string& hostname = *policy.hostname;
  add("/etc/group", [&] { return Group(facts.caller); });
  add("/etc/hostname", [&] { return hostname + '\n'; });
  add("/etc/hosts", [&] {
    std::string text = "127.0.0.1 localhost";
    if (!hostname.empty() && hostname != "localhost") text += ' ' + hostname;
    return text + "\n::1 localhost ip6-localhost ip6-loopback\n";
  });
  add("/etc/nsswitch.conf", [] { return "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"; });
  add("/etc/passwd", [&] { return Passwd(facts.caller); });
  add("/etc/resolv.conf", [&] { return ResolvConf(policy, facts); });
}

}  // namespace mxc::translate
