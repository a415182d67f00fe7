#include "shared/policy/path_tree.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

namespace mxc::policy {
namespace {

// A rule's place in the sort: strings and origins stay where they are until their final place is known.
struct Key {
  std::string_view path;
  uint32_t index;
};

bool Before(const Key& a, const Key& b) {
  const int order = a.path.compare(b.path);
  return order != 0 ? order < 0 : a.index < b.index;
}

// Sorts by merging the runs that are sorted already: the lists that rules come from are (policies/embed.cc), so there are
// a handful.
void MergeRuns(std::vector<Key>& keys) {
  std::vector<size_t> ends;
  for (size_t i = 1; i <= keys.size(); ++i) {
    if (i == keys.size() || Before(keys[i], keys[i - 1])) ends.push_back(i);
  }
  std::vector<Key> merged(keys.size());
  while (ends.size() > 1) {
    std::vector<size_t> wider;
    auto out = merged.begin();
    for (size_t run = 0; run < ends.size(); run += 2) {
      const auto begin = keys.begin() + static_cast<ptrdiff_t>(run == 0 ? 0 : ends[run - 1]);
      const auto middle = keys.begin() + static_cast<ptrdiff_t>(ends[run]);
      const auto end = run + 1 < ends.size() ? keys.begin() + static_cast<ptrdiff_t>(ends[run + 1]) : middle;
      out = std::merge(begin, middle, middle, end, out, Before);
      wider.push_back(static_cast<size_t>(out - merged.begin()));
    }
    keys.swap(merged);
    ends.swap(wider);
  }
}

template <class Wanted>
std::vector<Key> SortedKeys(const std::vector<PathRule>& rules, Wanted wanted) {
  std::vector<Key> keys;
  keys.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    if (wanted(rules[i])) keys.push_back({rules[i].path, static_cast<uint32_t>(i)});
  }
  MergeRuns(keys);
  return keys;
}

// Folds the rules of keys[begin, end), all on one path, into one.
PathRule Fold(std::vector<PathRule>& rules, std::span<const Key> keys, bool layered) {
  auto layer = Layer::kBuiltin;
  if (layered) {
    for (const Key& key : keys) layer = std::max(layer, rules[key.index].origin.layer);
  }
  PathRule* best = nullptr;
  for (const Key& key : keys) {
    PathRule& rule = rules[key.index];
    if (layered && rule.origin.layer != layer) continue;
    if (best == nullptr || rule.access < best->access) {
      best = &rule;
    } else if (rule.access == best->access) {
      best->if_present = best->if_present && rule.if_present;
      best->protect = best->protect || rule.protect;
      best->baseline = best->baseline && rule.baseline;
    }
  }
  // A policy that names part of the base system read-only asks for nothing but that it is there.
  if (layered && best->access == Access::kReadOnly) {
    for (const Key& key : keys) best->baseline = best->baseline || rules[key.index].baseline;
  }
  return std::move(*best);
}

// Takes the rules that `keys` name out of `rules`.
std::vector<PathRule> Build(std::vector<PathRule>& rules, const std::vector<Key>& keys, bool layered) {
  std::vector<PathRule> tree;
  tree.reserve(keys.size());
  for (size_t begin = 0; begin < keys.size();) {
    size_t end = begin + 1;
    while (end < keys.size() && keys[end].path == keys[begin].path) ++end;
    tree.push_back(Fold(rules, std::span(keys).subspan(begin, end - begin), layered));
    begin = end;
  }
  return tree;
}

// Of the rules that protect, those that take something away from `tree`.
std::vector<PathRule> TakeEffective(std::span<const PathRule> tree, std::vector<PathRule> protects) {
  std::vector<std::string_view> writable;  // few, and cheaper to ask than the tree
  for (const PathRule& rule : tree) {
    if (rule.access == Access::kReadWrite) writable.push_back(rule.path);
  }
  std::vector<PathRule> kept;
  for (PathRule& rule : protects) {
    const auto above = [&](std::string_view path) { return IsWithin(rule.path, path); };
    if (std::none_of(writable.begin(), writable.end(), above)) continue;
    const PathRule* deciding = Lookup(tree, rule.path);
    if (deciding == nullptr || deciding->access != Access::kReadWrite) continue;
    if (deciding->path == rule.path && deciding->origin.layer > rule.origin.layer) continue;
    kept.push_back(std::move(rule));
  }
  return kept;
}

Error PathError(std::string_view path, std::string why) {
  constexpr size_t kShown = 200;
  std::string shown(path.substr(0, kShown));
  if (path.size() > kShown) shown += "…";
  for (char& c : shown) {
    if (c == '\0') c = '?';
  }
  return Error(Code::kInvalid, "path \"" + shown + "\" " + std::move(why));
}

}  // namespace

bool IsNormal(std::string_view path) {
  if (path.empty() || path[0] != '/' || path.size() > kMaxPathBytes) return false;
  if (path.size() == 1) return true;
  if (path.find('\0') != std::string_view::npos) return false;
  size_t begin = 1;
  while (begin <= path.size()) {
    const size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, slash - begin);
    if (name.empty() || name == "." || name == ".." || name.size() > kMaxNameBytes) return false;
    begin = slash + 1;
  }
  return true;
}

Result<std::string> Normalise(std::string_view path) {
  if (path.empty()) return Error(Code::kInvalid, "a path is empty").WithHint("name an absolute path");
  if (IsNormal(path)) return std::string(path);
  if (path.find('\0') != std::string_view::npos) return PathError(path, "has a NUL byte inside");
  if (path[0] != '/') return PathError(path, "is not absolute").WithHint("start it with /");

  std::string normal;
  normal.reserve(path.size());
  for (size_t begin = 1; begin <= path.size();) {
    const size_t slash = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, slash - begin);
    begin = slash + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (normal.empty()) return PathError(path, "climbs above / with \"..\"").WithHint("write it without \"..\"");
      normal.resize(normal.rfind('/'));
      continue;
    }
    if (name.size() > kMaxNameBytes) {
      return PathError(path, "has a name of " + std::to_string(name.size()) + " bytes; 255 is the most Linux takes");
    }
    normal += '/';
    normal += name;
  }
  if (normal.empty()) normal = "/";
  if (normal.size() > kMaxPathBytes) {
    return PathError(path, "has " + std::to_string(normal.size()) + " bytes; 4095 is the most Linux takes");
  }
  return normal;
}

std::string Join(std::string_view base, std::string_view relative) {
  std::string joined;
  joined.reserve(base.size() + 1 + relative.size());
  if (base != "/") joined += base;
  joined += '/';
  joined += relative;
  return joined;
}

std::string_view Parent(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? std::string_view("/") : path.substr(0, slash);
}

std::vector<PathRule> BuildTree(std::vector<PathRule> rules) {
  return Build(rules, SortedKeys(rules, [](const PathRule&) { return true; }), false);
}

std::vector<PathRule> BuildLayeredTree(std::vector<PathRule> rules) {
  const auto protects = SortedKeys(rules, [](const PathRule& rule) { return rule.protect; });
  std::vector<PathRule> tree =
      Build(rules, SortedKeys(rules, [](const PathRule& rule) { return !rule.protect; }), true);
  std::vector<PathRule> kept = TakeEffective(tree, Build(rules, protects, true));
  if (kept.empty()) return tree;

  std::vector<PathRule> merged;
  merged.reserve(tree.size() + kept.size());
  auto next = kept.begin();
  for (PathRule& rule : tree) {
    while (next != kept.end() && next->path < rule.path) merged.push_back(std::move(*next++));
    // On the path of a grant, which is then a read-write one, the protection stands instead.
    merged.push_back(next != kept.end() && next->path == rule.path ? std::move(*next++) : std::move(rule));
  }
  merged.insert(merged.end(), std::make_move_iterator(next), std::make_move_iterator(kept.end()));
  return merged;
}

const PathRule* Find(std::span<const PathRule> tree, std::string_view path) {
  const auto at = std::lower_bound(tree.begin(), tree.end(), path,
                                   [](const PathRule& rule, std::string_view key) { return rule.path < key; });
  return at != tree.end() && at->path == path ? &*at : nullptr;
}

const PathRule* Lookup(std::span<const PathRule> tree, std::string_view path) {
  while (true) {
    if (const PathRule* rule = Find(tree, path)) return rule;
    if (path.size() <= 1) return nullptr;
    path = Parent(path);
  }
}

}  // namespace mxc::policy
