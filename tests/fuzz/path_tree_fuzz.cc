// The path tree and the translation of Windows paths: whatever they accept is in normal form, the tree decides as a
// linear search does, and one more denial never opens anything.
//
// Input: lines. The first character of a line says what it is: d, r, w (a rule), ? (a path that is looked up),
// \ (a Windows path).
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "shared/policy/path_pattern.h"
#include "shared/policy/path_tree.h"
#include "shared/policy/windows_path.h"

namespace mxc::policy {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

int Rank(const PathRule* rule) { return rule == nullptr ? 0 : static_cast<int>(rule->access); }

// The longest rule above the path; the strictest of several on one path.
int SlowRank(const std::vector<PathRule>& rules, std::string_view path) {
  const PathRule* best = nullptr;
  for (const PathRule& rule : rules) {
    if (!IsWithin(path, rule.path)) continue;
    if (best == nullptr || rule.path.size() > best->path.size() ||
        (rule.path == best->path && rule.access < best->access))
      best = &rule;
  }
  return Rank(best);
}

void Check(const std::vector<PathRule>& rules, const std::vector<std::string>& probes) {
  const std::vector<PathRule> tree = BuildTree(rules);
  for (const std::string& probe : probes) {
    Require(Rank(Lookup(tree, probe)) == SlowRank(rules, probe));
    std::vector<PathRule> more = rules;
    PathRule denial;
    denial.path = probe;
    denial.access = Access::kDeny;
    more.push_back(denial);
    const std::vector<PathRule> narrowed = BuildTree(std::move(more));
    for (const std::string& other : probes) Require(Rank(Lookup(narrowed, other)) <= Rank(Lookup(tree, other)));
  }
}

void Run(std::string_view text) {
  std::vector<PathRule> rules;
  std::vector<std::string> probes;
  while (!text.empty() && rules.size() + probes.size() < 64) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const std::string_view rest = line.substr(1);
    if (line[0] == '\\') {
      if (auto path = TranslateWindowsPath(rest, {"/mnt", "Debian"}); path.ok()) Require(IsNormal(*path));
      continue;
    }
    TextPool pool;
    if (auto pattern = ParsePathPattern(rest, pool); pattern.ok()) {
      const auto path = Expand(*pattern, {"/home/u", "/home/u/p", "/run/user/1", "1"}, "/g");
      Require(path && (IsNormal(*path) || path->size() > kMaxPathBytes || pattern->has_uid));
    }
    auto path = Normalise(rest);
    if (!path.ok()) continue;
    Require(IsNormal(*path) && *Normalise(*path) == *path);
    probes.push_back(*path);
    if (line[0] == '?') continue;
    PathRule rule;
    rule.path = *std::move(path);
    rule.access = line[0] == 'd' ? Access::kDeny : line[0] == 'w' ? Access::kReadWrite : Access::kReadOnly;
    rules.push_back(std::move(rule));
  }
  Check(rules, probes);
}

}  // namespace
}  // namespace mxc::policy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::policy::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
