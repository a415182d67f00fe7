#include "shared/policy/floor.h"

#include <doctest/doctest.h>

#include <random>

#include "shared/policy/path_tree.h"
#include "shared/policy/resolve_testing.h"

namespace mxc::policy {
namespace {

using Texts = std::vector<std::pair<std::string, std::string>>;

int Rank(const PathRule* rule) { return rule == nullptr ? 0 : static_cast<int>(rule->access); }

std::string RandomPath(std::mt19937& random) {
  static const char* const kNames[] = {"a", "b", "ab", "a-b", "c"};
  std::string path;
  const unsigned depth = random() % 4;
  for (unsigned i = 0; i < depth; ++i) path += std::string("/") + kNames[random() % 5];
  return path.empty() ? "/" : path;
}

TEST_CASE("a floor takes paths away, whatever longer path is granted") {
  const Texts floor = {{"/etc/mxc/policy.d/10-it.yaml",
                        "floor: 1\nfilesystem:\n  denied: [/desk/vault, ~/private]\n  readonly: [/data]\n"}};
  const auto policy =
      ResolveText(R"("filesystem":{"readwritePaths":["/desk","/desk/vault/mine","/data/x","/home/alice"]})", floor);
  REQUIRE(policy.ok());
  CHECK(Lookup(policy->paths, "/desk/x")->access == Access::kReadWrite);
  CHECK(Lookup(policy->paths, "/desk/vault/mine/y")->access == Access::kDeny);
  CHECK(Lookup(policy->paths, "/home/alice/private")->access == Access::kDeny);
  CHECK(Lookup(policy->paths, "/data/x/y")->access == Access::kReadOnly);
  CHECK(Lookup(policy->paths, "/data") == nullptr);
  CHECK(Find(policy->paths, "/data/x")->origin.layer == Layer::kFloor);
  CHECK(Find(policy->paths, "/desk/vault")->origin.line == 3);
}

TEST_CASE("a caller's environment doesn't lead a floor's runtime folder away") {
  Caller caller = AliceInProject();
  caller.env.emplace_back("XDG_RUNTIME_DIR", "/elsewhere");
  const Texts floor = {{"f.yaml", "floor: 1\nfilesystem: {denied: ['${xdg_runtime_dir}/vault']}\n"}};
  const auto policy = ResolveText(R"("filesystem":{"readonlyPaths":["/run/user/1000","/elsewhere"]})", floor, caller);
  REQUIRE(policy.ok());
  CHECK(Lookup(policy->paths, "/run/user/1000/vault/x")->access == Access::kDeny);
  CHECK(Lookup(policy->paths, "/elsewhere/vault/x")->access == Access::kDeny);
}

TEST_CASE("limits go down to the floor's maximum and then may not be weakened") {
  const Texts floor = {
      {"f.yaml", "floor: 1\nmaximum: {memory: 1GiB, cpus: 2, pids: 5000, fileSize: 1MiB}\ntimeout: 10m\n"}};
  const auto policy = ResolveText(R"("x-linux":{"resources":{"memory":"2GiB"}})", floor);
  REQUIRE(policy.ok());
  CHECK(policy->resources->memory_bytes == uint64_t{1} << 30);
  CHECK(policy->resources->cpus == 2);
  CHECK(policy->resources->pids == 1024);  // lower already
  CHECK(policy->resources->file_bytes == 1u << 20);
  CHECK(policy->named_limits == std::vector<std::string>{"memory", "fileSize", "cpus"});
  CHECK(*policy->timeout_ms == 600000);
  CHECK(policy->timeout_ms.origin.layer == Layer::kFloor);
}

TEST_CASE("forbidden options end the run and name the floor") {
  const struct {
    const char *floor, *policy;
  } table[] = {
      {"forbid: [nesting]", R"("x-linux":{"nesting":true})"},
      {"forbid: [gpu]", R"("x-linux":{"gpu":"wsl"})"},
      {"forbid: [host-root]", R"("x-linux":{"identity":"host-root"})"},
      {"forbid: [rootfs]", R"("x-linux":{"rootfs":"/srv/r"})"},
      {"profiles: {allow: [default]}", R"("x-linux":{"profile":"build"})"},
      {"seccomp: {allow: [default]}", R"("x-linux":{"seccomp":{"profile":"ml"}})"},
  };
  for (const auto& row : table) {
    CAPTURE(row.policy);
    const Texts floor = {{"/etc/mxc/policy.d/it.yaml", std::string("floor: 1\n") + row.floor + "\n"}};
    CHECK(ResolveText("", floor).ok());
    const auto refused = ResolveText(row.policy, floor);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == Code::kRefused);
    CHECK(refused.error().message().find("/etc/mxc/policy.d/it.yaml") != std::string::npos);
  }
}

TEST_CASE("minimums only raise") {
  const Texts floor = {
      {"f.json", R"({"floor":1,"minimum":{"landlock":true,"on_exposed":"kill","on_missing":"seal"}})"}};
  const auto plain = ResolveText("", floor);
  REQUIRE(plain.ok());
  CHECK(*plain->landlock_required);
  CHECK(*plain->on_exposed == OnExposed::kKill);
  CHECK(*plain->on_missing == OnMissing::kSeal);
  CHECK(*ResolveText(R"("x-linux":{"on_missing":"refuse"})", floor)->on_missing == OnMissing::kRefuse);
}

TEST_CASE("variables that a floor denies are not passed") {
  const Texts floor = {{"f.yaml", "floor: 1\nenvironment: {deny: [API_KEY]}\n"}};
  const auto policy = ResolveText(R"("x-linux":{"env":{"pass":["API_KEY"]}})", floor);
  REQUIRE(policy.ok());
  for (const auto& entry : policy->env) CHECK_FALSE(entry->starts_with("API_KEY="));
}

TEST_CASE("a floor narrows Windows' drives, in any case of their names") {
  const Texts only = {{"f", R"({"floor":1,"filesystem":{"drives":{"only":["C:\\work","D:\\"]}}})"}};
  auto policy =
      ResolveText(R"("filesystem":{"readwritePaths":["C:\\Work\\a","D:\\x"],"readonlyPaths":["C:\\","E:\\y"]})", only);
  REQUIRE(policy.ok());
  CHECK(Lookup(policy->paths, "/mnt/c/Work/a/b")->access == Access::kReadWrite);
  CHECK(Lookup(policy->paths, "/mnt/d/x/y")->access == Access::kReadWrite);
  CHECK(Lookup(policy->paths, "/mnt/c/work/z")->access == Access::kReadOnly);  // what is left of C:
  CHECK(Lookup(policy->paths, "/mnt/c/other")->access == Access::kDeny);
  CHECK(Lookup(policy->paths, "/mnt/e/y")->access == Access::kDeny);
  CHECK(Find(policy->paths, "/mnt/e/y")->origin.layer == Layer::kFloor);

  const Texts denied = {{"f", R"({"floor":1,"filesystem":{"drives":{"denied":["C:\\Payroll"]}}})"}};
  policy = ResolveText(R"("filesystem":{"readwritePaths":["C:\\PAYROLL\\mine","C:\\pay"]})", denied);
  REQUIRE(policy.ok());
  CHECK(Lookup(policy->paths, "/mnt/c/PAYROLL/mine/x")->access == Access::kDeny);
  CHECK(Lookup(policy->paths, "/mnt/c/pay/x")->access == Access::kReadWrite);

  const struct {
    const Texts& floor;
    const char* path;
  } refused[] = {
      {denied, "C:\\\\"}, {denied, "/mnt/c"}, {denied, "C:\\\\PAYROL~1\\\\mine"}, {denied, "/mnt"}, {only, "/mnt"}};
  for (const auto& row : refused) {
    CAPTURE(row.path);
    const auto result = ResolveText(std::string(R"("filesystem":{"readonlyPaths":[")") + row.path + "\"]}", row.floor);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code() == Code::kRefused);
  }
  CHECK(ResolveText(R"("filesystem":{"readonlyPaths":["D:\\","/srv"]})", denied).ok());
}

TEST_CASE("both lists of drives at once") {
  const Texts floor = {
      {"f", R"({"floor":1,"filesystem":{"drives":{"only":["C:\\work"],"denied":["C:\\work\\payroll"]}}})"}};
  CHECK_FALSE(ResolveText(R"("filesystem":{"readonlyPaths":["C:\\"]})", floor).ok());
  const auto policy = ResolveText(R"("filesystem":{"readonlyPaths":["C:\\work\\a","C:\\Work\\Payroll"]})", floor);
  REQUIRE(policy.ok());
  CHECK(Lookup(policy->paths, "/mnt/c/work/a")->access == Access::kReadOnly);
  CHECK(Lookup(policy->paths, "/mnt/c/Work/Payroll")->access == Access::kDeny);
}

TEST_CASE("a floor that can't be read as a whole stops everything") {
  for (const char* text :
       {"", "floor: 2\n", "denied: [/x]\n", "floor: 1\nfilesystm: {}\n", "floor: 1\nfilesystem: {denied: [x]}\n",
        "floor: 1\nfilesystem: {denied: [/a/../b]}\n", "floor: 1\nfilesystem: {denied: ['${cwd}']}\n",
        "floor: 1\nfilesystem: {denied: ['/home/*/.ssh']}\n", "floor: 1\nforbid: [network]\n", "floor: 1\nfloor: 1\n",
        "floor: 1\nmaximum: {memory: lots}\n", "{\"floor\":1,}", "floor: 1\nfilesystem: {drives: {only: [/mnt/c]}}\n",
        "floor: 1\nfilesystem: {drives: {only: ['c:x']}}\n",
        "floor: 1\nfilesystem: {drives: {denied: ['C:\\Größe']}}\n"}) {
    CAPTURE(text);
    CHECK_FALSE(ResolveText("", {{"f", text}}).ok());
  }
  Caller homeless = AliceInProject();
  homeless.home.clear();
  CHECK_FALSE(ResolveText("", {{"f", "floor: 1\nfilesystem: {denied: [~/x]}\n"}}, homeless).ok());
}

TEST_CASE("no floor ever makes a path more accessible, and each holds what it says") {
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::vector<PathRule> rules(random() % 8);
    for (PathRule& rule : rules) {
      rule.path = RandomPath(random);
      rule.access = static_cast<Access>(random() % 3);
    }
    const auto before = BuildTree(rules);
    Floor floor;
    for (auto* list : {&floor.denied, &floor.readonly}) {
      const unsigned count = random() % 3;
      for (unsigned i = 0; i < count; ++i) list->push_back(*ParsePathPattern(RandomPath(random), floor.pool));
    }
    auto after = before;
    REQUIRE(NarrowPaths(floor, {}, after).ok());
    for (size_t i = 1; i < after.size(); ++i) REQUIRE(after[i - 1].path < after[i].path);
    for (int probe = 0; probe < 8; ++probe) {
      const std::string path = RandomPath(random);
      const int rank = Rank(Lookup(after, path));
      REQUIRE(rank <= Rank(Lookup(before, path)));
      for (const PathPattern& denied : floor.denied) {
        if (IsWithin(path, denied.rest)) REQUIRE(rank == 0);
      }
      for (const PathPattern& readonly : floor.readonly) {
        if (IsWithin(path, readonly.rest)) REQUIRE(rank <= 1);
      }
    }
    auto twice = after;
    REQUIRE(NarrowPaths(floor, {}, twice).ok());
    for (int probe = 0; probe < 4; ++probe) {
      const std::string path = RandomPath(random);
      REQUIRE(Rank(Lookup(twice, path)) == Rank(Lookup(after, path)));
    }
  }
}

}  // namespace
}  // namespace mxc::policy
