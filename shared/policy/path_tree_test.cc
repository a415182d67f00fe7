#include "shared/policy/path_tree.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>

namespace mxc::policy {
namespace {

PathRule Rule(std::string path, Access access, Layer layer = Layer::kPolicy) {
  PathRule rule;
  rule.path = std::move(path);
  rule.access = access;
  rule.origin.layer = layer;
  return rule;
}

std::vector<std::string> Components(const std::string& path) {
  std::vector<std::string> names;
  std::string name;
  for (char c : path + "/") {
    if (c != '/') {
      name += c;
    } else if (!name.empty()) {
      names.push_back(std::move(name));
      name.clear();
    }
  }
  return names;
}

// The obvious reference: of all rules whose components are a prefix of the path's, the longest; among equally long
// ones, those of the highest layer; among these, the strictest.
std::optional<Access> SlowAccess(const std::vector<PathRule>& rules, const std::string& path, bool layered) {
  const std::vector<std::string> wanted = Components(path);
  std::optional<Access> found;
  size_t depth = 0;
  Layer layer = Layer::kBuiltin;
  for (const PathRule& rule : rules) {
    const std::vector<std::string> names = Components(rule.path);
    if (names.size() > wanted.size() || !std::equal(names.begin(), names.end(), wanted.begin())) continue;
    const bool better = !found || names.size() > depth ||
                        (names.size() == depth && layered && rule.origin.layer > layer) ||
                        (names.size() == depth && (!layered || rule.origin.layer == layer) && rule.access < *found);
    if (!better) continue;
    found = rule.access;
    depth = names.size();
    layer = rule.origin.layer;
  }
  return found;
}

std::string RandomPath(std::mt19937& random) {
  static const char* const kNames[] = {"a", "b", "ab", "a-b", "a.b", "c", ".x"};
  std::string path;
  const unsigned depth = random() % 5;
  for (unsigned i = 0; i < depth; ++i) path += std::string("/") + kNames[random() % 7];
  return path.empty() ? "/" : path;
}

std::vector<PathRule> RandomRules(std::mt19937& random) {
  std::vector<PathRule> rules;
  const unsigned count = random() % 12;
  for (unsigned i = 0; i < count; ++i) {
    rules.push_back(Rule(RandomPath(random), static_cast<Access>(random() % 3), static_cast<Layer>(1 + random() % 2)));
  }
  return rules;
}

int Rank(const PathRule* rule) { return rule == nullptr ? 0 : static_cast<int>(rule->access); }

TEST_CASE("Normalise brings a path into its one form") {
  const struct {
    std::string in, out;
  } table[] = {
      {"/", "/"},
      {"//", "/"},
      {"/a", "/a"},
      {"/a/", "/a"},
      {"//a///b//", "/a/b"},
      {"/./a/.", "/a"},
      {"/a/..", "/"},
      {"/a/../b", "/b"},
      {"/a/b/../../c", "/c"},
      {"/a/...", "/a/..."},
      {"/..a/.b", "/..a/.b"},
      {"/a b", "/a b"},
      {"/a\\b", "/a\\b"},
      {"/é", "/é"},
  };
  for (const auto& row : table) {
    CAPTURE(row.in);
    const auto got = Normalise(row.in);
    REQUIRE(got.ok());
    CHECK(*got == row.out);
    CHECK(IsNormal(*got));
    CHECK(IsNormal(row.in) == (row.in == row.out));
  }
}

TEST_CASE("Normalise refuses what is not a path of Linux") {
  const std::string bad[] = {
      "", "a", "./a", "~", "~/x", "/..", "/a/../..", "/../a", std::string("/a\0b", 4), "/" + std::string(256, 'n')};
  for (const std::string& path : bad) {
    CAPTURE(path);
    CHECK_FALSE(Normalise(path).ok());
    CHECK_FALSE(IsNormal(path));
  }
  std::string lengthy;
  while (lengthy.size() <= kMaxPathBytes) lengthy += "/0123456789";
  CHECK_FALSE(Normalise(lengthy).ok());
  lengthy.resize(kMaxPathBytes);
  CHECK(Normalise(lengthy).ok());
  CHECK(Normalise(lengthy + "/..").ok());
}

TEST_CASE("Within compares components, not letters") {
  CHECK(IsWithin("/a", "/"));
  CHECK(IsWithin("/", "/"));
  CHECK(IsWithin("/a/b", "/a"));
  CHECK(IsWithin("/a", "/a"));
  CHECK_FALSE(IsWithin("/ab", "/a"));
  CHECK_FALSE(IsWithin("/", "/a"));
  CHECK(Join("/", "x") == "/x");
  CHECK(Join("/a", "x/y") == "/a/x/y");
  CHECK(Parent("/a/b") == "/a");
  CHECK(Parent("/a") == "/");
  CHECK(Parent("/") == "/");
}

TEST_CASE("the most specific rule wins, and the strictest on one path") {
  const auto tree = BuildTree({Rule("/w/open", Access::kReadWrite), Rule("/", Access::kReadOnly),
                               Rule("/w", Access::kReadWrite), Rule("/w/secret", Access::kDeny),
                               Rule("/w/secret", Access::kReadWrite), Rule("/w/secret/pub", Access::kReadOnly)});
  CHECK(tree.size() == 5);
  CHECK(Lookup(tree, "/etc")->access == Access::kReadOnly);
  CHECK(Lookup(tree, "/w/x")->access == Access::kReadWrite);
  CHECK(Lookup(tree, "/w/secret")->access == Access::kDeny);
  CHECK(Lookup(tree, "/w/secret/x")->access == Access::kDeny);
  CHECK(Lookup(tree, "/w/secret/pub/x")->access == Access::kReadOnly);
  CHECK(Lookup(tree, "/w/secretly")->access == Access::kReadWrite);
  CHECK(Lookup({}, "/x") == nullptr);
}

TEST_CASE("equal rules: missing is fine only if all say so; protection stays") {
  PathRule loose = Rule("/a", Access::kReadOnly);
  loose.if_present = true;
  loose.baseline = true;
  PathRule strict = Rule("/a", Access::kReadOnly);
  strict.protect = true;
  const auto tree = BuildTree({loose, strict});
  REQUIRE(tree.size() == 1);
  CHECK_FALSE(tree[0].if_present);
  CHECK(tree[0].protect);
  CHECK_FALSE(tree[0].baseline);
  CHECK(BuildTree({loose, loose})[0].if_present);
}

TEST_CASE("a policy overrides its profile on exactly the path it names") {
  const auto tree = BuildLayeredTree(
      {Rule("/home/u/.ssh", Access::kDeny, Layer::kProfile), Rule("/home/u/.aws", Access::kDeny, Layer::kProfile),
       Rule("/home/u", Access::kReadWrite, Layer::kPolicy), Rule("/home/u/.aws", Access::kReadOnly, Layer::kPolicy)});
  CHECK(Lookup(tree, "/home/u/.ssh/id")->access == Access::kDeny);
  CHECK(Lookup(tree, "/home/u/.aws/config")->access == Access::kReadOnly);
}

TEST_CASE("protecting takes away and never grants") {
  auto protect = [](std::string path, Layer layer) {
    PathRule rule = Rule(std::move(path), Access::kReadOnly, layer);
    rule.protect = true;
    return rule;
  };
  const auto tree = BuildLayeredTree(
      {Rule("/w", Access::kReadWrite), Rule("/w/open", Access::kReadWrite), Rule("/r", Access::kReadOnly),
       Rule("/w/shut", Access::kDeny), protect("/w/.envrc", Layer::kProfile), protect("/w/open", Layer::kProfile),
       protect("/r/x", Layer::kProfile), protect("/w/shut/x", Layer::kProfile), protect("/elsewhere", Layer::kPolicy),
       Rule("/w/mine", Access::kReadWrite), protect("/w/mine", Layer::kPolicy)});
  REQUIRE(Find(tree, "/w/.envrc") != nullptr);
  CHECK(Find(tree, "/w/.envrc")->protect);
  CHECK(Lookup(tree, "/w/open")->access == Access::kReadWrite);
  CHECK(Find(tree, "/r/x") == nullptr);
  CHECK(Lookup(tree, "/w/shut/x")->access == Access::kDeny);
  CHECK(Lookup(tree, "/elsewhere") == nullptr);
  CHECK(Lookup(tree, "/w/mine")->access == Access::kReadOnly);

  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    auto rules = RandomRules(random);
    const auto before = BuildLayeredTree(rules);
    rules.push_back(protect(RandomPath(random), static_cast<Layer>(random() % 3)));
    const auto after = BuildLayeredTree(rules);
    for (int probe = 0; probe < 8; ++probe) {
      const std::string path = RandomPath(random);
      REQUIRE(Rank(Lookup(after, path)) <= Rank(Lookup(before, path)));
    }
  }
}

TEST_CASE("random trees decide as the slow reference does") {
  std::mt19937 random(20260101);
  for (int round = 0; round < 20000; ++round) {
    const auto rules = RandomRules(random);
    const bool layered = round % 2 == 1;
    const auto tree = layered ? BuildLayeredTree(rules) : BuildTree(rules);
    REQUIRE(
        std::is_sorted(tree.begin(), tree.end(), [](const PathRule& a, const PathRule& b) { return a.path < b.path; }));
    for (size_t i = 1; i < tree.size(); ++i) REQUIRE(tree[i - 1].path != tree[i].path);
    for (int probe = 0; probe < 8; ++probe) {
      const std::string path = RandomPath(random);
      const PathRule* fast = Lookup(tree, path);
      const auto slow = SlowAccess(rules, path, layered);
      REQUIRE((fast != nullptr) == slow.has_value());
      if (fast != nullptr) REQUIRE(fast->access == *slow);
    }
  }
}

TEST_CASE("one more denial never makes anything more accessible") {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    auto rules = RandomRules(random);
    const auto before = BuildTree(rules);
    const std::string denied = RandomPath(random);
    rules.insert(rules.begin() + random() % (rules.size() + 1), Rule(denied, Access::kDeny));
    const auto after = BuildTree(rules);
    for (int probe = 0; probe < 8; ++probe) {
      const std::string path = RandomPath(random);
      REQUIRE(Rank(Lookup(after, path)) <= Rank(Lookup(before, path)));
    }
    REQUIRE(Rank(Lookup(after, denied)) == 0);
  }
}

TEST_CASE("random text normalises to a normal form or an error, and normalising again changes nothing") {
  std::mt19937 random(99);
  const char letters[] = {'/', '/', '.', '.', 'a', 'b', '\0'};
  for (int round = 0; round < 50000; ++round) {
    std::string text;
    const unsigned size = random() % 14;
    for (unsigned i = 0; i < size; ++i) text += letters[random() % (random() % 8 == 0 ? 7 : 6)];
    const auto once = Normalise(text);
    REQUIRE(IsNormal(text) == (once.ok() && *once == text));
    if (!once.ok()) continue;
    REQUIRE(IsNormal(*once));
    REQUIRE(*Normalise(*once) == *once);
  }
}

}  // namespace
}  // namespace mxc::policy
