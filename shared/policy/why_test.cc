#include "shared/policy/why.h"

#include <doctest/doctest.h>

#include "shared/policy/resolve_testing.h"

namespace mxc::policy {
namespace {

EffectivePolicy Sample() {
  return ResolveText(
             "\"filesystem\":{\"readonlyPaths\":[\"/data\"],\n\"readwritePaths\":[\"/home/"
             "alice\"],\n\"deniedPaths\":[\"/home/alice/proj/secret\"]}",
             {{"/etc/mxc/policy.d/it.yaml", "floor: 1\nfilesystem:\n  denied: [/home/alice/vault]\n"}})
      .value();
}

TEST_CASE("why a path is open or shut") {
  const EffectivePolicy policy = Sample();
  const struct {
    Operation operation;
    const char* path;
    Verdict verdict;
    const char *how, *origin, *remedy;
  } table[] = {
      {Operation::kRead, "/data/x", Verdict::kAllowed, "", "p.json:2 /filesystem/readonlyPaths/0", ""},
      {Operation::kWrite, "/data/x", Verdict::kDenied, "EROFS", "p.json:2 /filesystem/readonlyPaths/0",
       "add to the policy: {\"filesystem\": {\"readwritePaths\": [\"/data/x\"]}}"},
      {Operation::kWrite, "/home/alice/x", Verdict::kAllowed, "", "p.json:3 /filesystem/readwritePaths/0", ""},
      {Operation::kRead, "/home/alice/.ssh/id", Verdict::kDenied, "EACCES", "profile secrets:11",
       "add to the policy: {\"filesystem\": {\"readonlyPaths\": [\"/home/alice/.ssh\"]}}"},
      {Operation::kDelete, "/home/alice/.bashrc", Verdict::kDenied, "EBUSY", "profile persistence:12",
       "add to the policy: {\"filesystem\": {\"readwritePaths\": [\"/home/alice/.bashrc\"]}}"},
      {Operation::kRead, "/home/alice/vault/x", Verdict::kDenied, "EACCES", "managed floor /etc/mxc/policy.d/it.yaml:3",
       "the managed floor forbids it; only its owner can change /etc/mxc/policy.d/it.yaml"},
      {Operation::kDelete, "/home/alice/proj/secret", Verdict::kDenied, "EBUSY", "p.json:4 /filesystem/deniedPaths/0",
       "remove /filesystem/deniedPaths/0 from p.json, or, for this path only, nothing else helps: a denial wins over a "
       "grant of the same path"},
      {Operation::kRead, "/srv/x", Verdict::kDenied, "ENOENT", "",
       "add to the policy: {\"filesystem\": {\"readonlyPaths\": [\"/srv/x\"]}}"},
      {Operation::kRead, "/home/alice/.cache/mxc/x", Verdict::kDenied, "EACCES", "built in",
       "nothing: no policy can allow this"},
      {Operation::kExecute, "/usr/bin/env", Verdict::kAllowed, "", "profile base-system:10", ""},
      {Operation::kWrite, "/proc/sys/kernel/core_pattern", Verdict::kDenied, "EACCES or EROFS", "built in", ""},
  };
  for (const auto& row : table) {
    CAPTURE(row.path);
    const Answer answer = WhyPath(policy, row.operation, row.path);
    CHECK(answer.verdict == row.verdict);
    CHECK(answer.how == row.how);
    CHECK(answer.origin == row.origin);
    CHECK(answer.remedy == row.remedy);
    CHECK_FALSE(answer.rule.empty());
  }
  CHECK(WhyPath(policy, Operation::kWrite, "/tmp/x").verdict == Verdict::kConditional);
}

TEST_CASE("an answer as text") {
  CHECK(AsText(WhyPath(Sample(), Operation::kRead, "/home/alice/.ssh/id\x1b[2J")) ==
        "read /home/alice/.ssh/id\\x1b[2J: denied (EACCES)\n"
        "  rule      /home/alice/.ssh is denied (everything below, unless a longer path\n"
        "            says otherwise)\n"
        "  from      profile secrets:11\n"
        "  to allow  add to the policy: {\"filesystem\": {\"readonlyPaths\":\n"
        "            [\"/home/alice/.ssh\"]}}\n");
}

TEST_CASE("addresses, system calls and variables") {
  const EffectivePolicy policy = Sample();
  CHECK(WhyAddress(policy, "192.0.2.1:443").verdict == Verdict::kDenied);
  CHECK(WhyAddress(policy, "127.0.0.1:80").verdict == Verdict::kConditional);
  EffectivePolicy connected = Sample();
  for (const char* line :
       {"deny tcp 192.0.2.9/32 443 p#/network/egress/deny/0", "allow tcp 192.0.2.7/32 443 p#a", "deny any host * p#h",
        "allow tcp 192.0.2.0/24 443 p#/network/egress/allow/0", "deny any 0.0.0.0/0 * p#/network/egress/default",
        "deny any ::/0 * p#/network/egress/default"}) {
    connected.egress_rules.push_back(*network::ParseRule(line));
  }
  CHECK(WhyAddress(connected, "192.0.2.7:443").verdict == Verdict::kAllowed);
  const Answer range = WhyAddress(connected, "192.0.2.8:443");
  CHECK(range.verdict == Verdict::kConditional);
  CHECK(range.origin == "p#/network/egress/allow/0");
  const Answer denied = WhyAddress(connected, "[::ffff:192.0.2.9]:443");
  CHECK(denied.verdict == Verdict::kDenied);
  CHECK(denied.origin == "p#/network/egress/deny/0");
  CHECK(denied.how == "ECONNREFUSED at once");
  const Answer other = WhyAddress(connected, "udp 192.0.2.8:53");
  CHECK(other.how == "EPERM at once");
  CHECK(other.remedy.find(R"([{"cidr": "192.0.2.8/32"}])") != std::string::npos);
  CHECK(WhyAddress(connected, "example.org:443").verdict == Verdict::kConditional);
  const SyscallLookup lookup = [](std::string_view list, std::string_view call) {
    CHECK(list == "default");
    if (call == "read") return SyscallVerdict{Verdict::kAllowed, "", "", ""};
    return SyscallVerdict{Verdict::kDenied, "EPERM", "NUMA policy", "ml, build"};
  };
  CHECK(WhySyscall(policy, "read", lookup).verdict == Verdict::kAllowed);
  const Answer numa = WhySyscall(policy, "mbind", lookup);
  CHECK(numa.how == "EPERM");
  CHECK(numa.remedy.find("{\"x-linux\": {\"seccomp\": {\"profile\": \"ml\"}}}") != std::string::npos);
  CHECK(WhyVariable(policy, "PATH").verdict == Verdict::kAllowed);
  CHECK(WhyVariable(policy, "SSH_AUTH_SOCK").rule.find("never") != std::string::npos);
  CHECK(WhyVariable(policy, "API_KEY").remedy.find("API_KEY") != std::string::npos);
}

TEST_CASE("operations have names") {
  CHECK(*ParseOperation("create") == Operation::kCreate);
  CHECK(Spell(Operation::kExecute) == "execute");
  CHECK_FALSE(ParseOperation("chmod").ok());
}

}  // namespace
}  // namespace mxc::policy
