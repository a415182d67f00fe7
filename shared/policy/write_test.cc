#include "shared/policy/write.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "shared/policy/read.h"

namespace mxc::policy {
namespace {

// Policies with every field set or not, by chance.
class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}

  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(engine_); }
  bool Flip() { return Below(2) == 1; }
  uint64_t From(uint64_t least, uint64_t most) { return std::uniform_int_distribution<uint64_t>(least, most)(engine_); }

  std::string Text() {
    static const char* const kPieces[] = {"a",  "Z",  "0",    " ",    "\"", "\\", "/",
                                          "\n", "\t", "\x7F", "\x1B", "é",  "€",  "\xF0\x9F\x90\xA7",
                                          "~",  "#",  "'",    ": ",   "- ", "{",  "%"};
    std::string text;
    for (uint64_t i = Below(8); i > 0; --i) text += kPieces[Below(std::size(kPieces))];
    return text;
  }
  std::string Path() {
    static const char* const kWindows[] = {"C:\\a b\\c", "\\\\?\\D:\\x", "\\\\wsl.localhost\\Debian\\y",
                                           "\\\\wsl$\\Debian\\z"};
    return Below(8) == 0 ? kWindows[Below(4)] : "/" + Text();
  }
  std::string Name() { return "n" + std::to_string(Below(1000)); }
  template <class Make>
  auto List(Make make) {
    std::vector<decltype(make())> list;
    for (uint64_t i = Below(4); i > 0; --i) list.push_back(make());
    return list;
  }
  template <class To, class Make>
  void Maybe(std::optional<To>& to, Make make) {
    if (Flip()) to = make();
  }

 private:
  std::mt19937 engine_;
};

std::vector<NetworkRule> RandomRules(Dice& dice) {
  return dice.List([&] {
    NetworkRule rule;
    rule.to = dice.List([&] {
      NetworkPeer peer{dice.Flip() ? "10.0.0.0/8" : "10.1.0.0/16", {}};
      if (dice.Flip()) peer.except = {"10.1.2.0/24"};
      return peer;
    });
    rule.ports = dice.List([&] {
      NetworkPort port;
      port.protocol = static_cast<Protocol>(dice.Below(4));
      if (port.protocol != Protocol::kIcmp)
        dice.Maybe(port.port, [&] { return static_cast<uint16_t>(dice.From(1, 65535)); });
      if (port.port) dice.Maybe(port.end_port, [&] { return static_cast<uint16_t>(dice.From(*port.port, 65535)); });
      return port;
    });
    return rule;
  });
}

XLinux RandomXLinux(Dice& dice) {
  XLinux x;
  const auto size = [&] { return dice.From(1 << 20, INT64_MAX); };
  const auto ports = [&] { return dice.List([&] { return static_cast<uint16_t>(dice.From(1, 65535)); }); };
  const auto path = [&] { return dice.Path(); };
  const auto conditional = [&] { return ConditionalPath{dice.Path(), true}; };
  const auto name = [&] { return dice.Name(); };
  const auto flag = [&] { return dice.Flip(); };
  dice.Maybe(x.profile, name);
  dice.Maybe(x.rootfs, path);
  dice.Maybe(x.resources.memory_bytes, size);
  dice.Maybe(x.resources.swap_bytes, size);
  dice.Maybe(x.resources.cpus, [&] { return static_cast<double>(dice.From(1, 100'000)) / 64; });
  dice.Maybe(x.resources.pids, [&] { return dice.From(1, 4'194'304); });
  dice.Maybe(x.resources.tmp_bytes, size);
  dice.Maybe(x.resources.shm_bytes, size);
  dice.Maybe(x.resources.tmpfs_inodes, [&] { return dice.From(16, INT32_MAX); });
  dice.Maybe(x.resources.open_files, [&] { return dice.From(16, INT32_MAX); });
  dice.Maybe(x.resources.file_bytes, size);
  dice.Maybe(x.resources.memlock_bytes, [&] { return dice.Flip() ? UINT64_MAX : dice.Below(UINT64_MAX); });
  dice.Maybe(x.resources.stack_bytes, size);
  dice.Maybe(x.resources.core_bytes, size);
  dice.Maybe(x.seccomp.profile, name);
  dice.Maybe(x.landlock.required, flag);
  dice.Maybe(x.landlock.tcp_bind, ports);
  dice.Maybe(x.landlock.tcp_connect, ports);
  x.env_pass = dice.List(name);
  x.readonly_if_present = dice.List(conditional);
  x.readwrite_if_present = dice.List(conditional);
  x.protect = dice.List(path);
  dice.Maybe(x.on_exposed, [&] { return static_cast<OnExposed>(dice.Below(2)); });
  dice.Maybe(x.on_missing, [&] { return static_cast<OnMissing>(dice.Below(3)); });
  dice.Maybe(x.identity, [&] { return static_cast<Identity>(dice.Below(2)); });
  dice.Maybe(x.gpu, [&] { return static_cast<Gpu>(dice.Below(2)); });
  dice.Maybe(x.nesting, flag);
  dice.Maybe(x.time_namespace, flag);
  dice.Maybe(x.hostname, name);
  for (const char* pattern : {"pypi.org", "**.example.org:22", "*.a:1-9"}) {
    if (dice.Flip()) x.domains.allow.push_back(*ParseDomainPattern(pattern));
    if (dice.Flip()) x.domains.deny.push_back(*ParseDomainPattern(pattern));
  }
  x.domain_groups = dice.List(name);
  dice.Maybe(x.domain_sent_bytes, size);
  x.ports = dice.List([&] {
    SharedPort port{dice.Flip(),
                    dice.Flip(),
                    {},
                    static_cast<uint16_t>(dice.From(1, 65535)),
                    static_cast<uint16_t>(dice.From(1, 65535))};
    if (dice.Flip()) port.host_address = std::string(dice.Flip() ? "127.0.0.1" : "::");
    return port;
  });
  return x;
}

Policy RandomPolicy(Dice& dice) {
  Policy policy;
  policy.version = "1.0.0";
  dice.Maybe(policy.container_id, [&] { return dice.Text(); });
  static const Containment kOurs[] = {Containment::kProcess, Containment::kBubblewrap, Containment::kLxc};
  policy.containment = kOurs[dice.Below(3)];
  if (policy.containment == Containment::kLxc) policy.lxc = Lxc{"d" + dice.Text(), "r" + dice.Text()};
  Process& process = policy.process.emplace();
  process.command_line = "c" + dice.Text();
  dice.Maybe(process.cwd, [&] { return dice.Path(); });
  dice.Maybe(process.env, [&] { return dice.List([&] { return dice.Name() + "=" + dice.Text(); }); });
  process.inherit_default_env = dice.Flip();
  process.timeout_ms = static_cast<uint32_t>(dice.Flip() ? 0 : dice.Below(UINT32_MAX));
  const auto path = [&] { return dice.Path(); };
  policy.filesystem = {dice.List(path), dice.List(path), dice.List(path)};
  policy.network.ingress = static_cast<Default>(dice.Below(2));
  policy.network.host_loopback = static_cast<Default>(dice.Below(2));
  if (dice.Flip()) {
    policy.network.egress = static_cast<Default>(dice.Below(2));
    policy.network.egress_allow = RandomRules(dice);
    policy.network.egress_deny = RandomRules(dice);
  } else {
    dice.Maybe(policy.network_proxy, [&] { return "http://127.0.0.1:" + std::to_string(dice.From(1, 65535)); });
  }
  policy.ui = {dice.Flip(), static_cast<Clipboard>(dice.Below(4)), dice.Flip()};
  policy.lifecycle = {dice.Flip(), dice.Flip()};
  policy.allow_dacl_mutation = dice.Flip();
  policy.telemetry = dice.Flip();
  if (dice.Flip()) policy.x_linux = RandomXLinux(dice);
  if (policy.x_linux && policy.network_proxy) {  // the proxy is the only way out
    policy.x_linux->domains = {};
    policy.x_linux->domain_groups.clear();
    policy.x_linux->domain_sent_bytes.reset();
  }
  return policy;
}

TEST_CASE("Model to JSON to model is the identity, and the spelling is one") {
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const Policy policy = RandomPolicy(dice);
    const std::string text = WritePolicy(policy);
    CAPTURE(text);
    const auto again = ReadPolicy(text, {.source = "p.json"});
    REQUIRE_MESSAGE(again.ok(), again.error().Describe());
    REQUIRE(SamePolicy(policy, *again));
    REQUIRE(WritePolicy(*again) == text);
  }
}

TEST_CASE("JSON that is written reads the same as YAML") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const Policy policy = RandomPolicy(dice);
    const std::string text = WritePolicy(policy);
    CAPTURE(text);
    // JSON may hold DEL in a string as it is, YAML only escaped.
    if (text.find('\x7F') != std::string::npos) continue;
    const auto yaml = ReadPolicy(text, {.source = "p.yaml"});
    REQUIRE_MESSAGE(yaml.ok(), yaml.error().Describe());
    REQUIRE(SamePolicy(policy, *yaml));
  }
}

TEST_CASE("Defaults are left out") {
  Policy policy;
  policy.version = "1.0.0";
  policy.process.emplace().command_line = "true";
  CHECK(WritePolicy(policy) ==
        "{\n  \"version\": \"1.0.0\",\n  \"process\": {\n    \"commandLine\": \"true\"\n  }\n}\n");
}

}  // namespace
}  // namespace mxc::policy
