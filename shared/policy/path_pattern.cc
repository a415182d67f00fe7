#include "shared/policy/path_pattern.h"

#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

constexpr struct {
  std::string_view prefix;
  PathRoot root;
} kRoots[] = {
    {"~", PathRoot::kHome},
    {"${cwd}", PathRoot::kCwd},
    {"${xdg_runtime_dir}", PathRoot::kRuntimeDir},
    {"${granted}", PathRoot::kGranted},
};
constexpr std::string_view kUid = "${uid}";

// Takes out every ${uid}; true if there was one.
bool EraseUid(std::string& text) {
  bool found = false;
  for (size_t at; (at = text.find(kUid)) != std::string::npos; found = true) text.erase(at, kUid.size());
  return found;
}

Error PatternError(std::string_view text, const std::string& why) {
  return Error(Code::kInvalid, "path \"" + std::string(text) + "\" " + why);
}

}  // namespace

Result<PathPattern> ParsePathPattern(std::string_view text, TextPool& pool) {
  PathPattern pattern;
  std::string_view rest = text;
  for (const auto& root : kRoots) {
    if (!text.starts_with(root.prefix)) continue;
    rest.remove_prefix(root.prefix.size());
    if (!rest.empty() && rest[0] != '/') return PatternError(text, "has no / after " + std::string(root.prefix));
    pattern.root = root.root;
    break;
  }
  // Not even inside the pattern: whoever reads a list of paths should see where each leads.
  if ((std::string(rest) + '/').find("/../") != std::string::npos) {
    return PatternError(text, "has \"..\" in it").WithHint("write where it leads");
  }
  std::string normal = pattern.root == PathRoot::kAbsolute || !rest.empty() ? MXC_TRY(Normalise(rest)) : std::string();
  if (pattern.root != PathRoot::kAbsolute) normal.erase(0, 1);
  std::string plain = normal;
  pattern.has_uid = EraseUid(plain);
  if (plain.find("${") != std::string::npos || plain.find('*') != std::string::npos) {
    return PatternError(text, "has a variable or wildcard that doesn't exist")
        .WithHint(
            "~, ${cwd}, ${xdg_runtime_dir} and ${granted} may stand in front, ${uid} anywhere; there are no wildcards");
  }
  pattern.rest = pool.Keep(std::move(normal));
  return pattern;
}

std::optional<std::string> Expand(const PathPattern& pattern, const PathRoots& roots, std::string_view granted) {
  std::string path;
  if (pattern.root == PathRoot::kAbsolute) {
    path = pattern.rest;
  } else {
    const std::string_view base = pattern.root == PathRoot::kHome         ? roots.home
                                  : pattern.root == PathRoot::kCwd        ? roots.cwd
                                  : pattern.root == PathRoot::kRuntimeDir ? roots.runtime_dir
                                                                          : granted;
    if (base.empty()) return std::nullopt;
    path = pattern.rest.empty() ? std::string(base) : Join(base, pattern.rest);
  }
  if (pattern.has_uid) {
    for (size_t at; (at = path.find(kUid)) != std::string::npos;) path.replace(at, kUid.size(), roots.uid);
  }
  return path;
}

std::string Spell(const PathPattern& pattern) {
  std::string text;
  for (const auto& root : kRoots) {
    if (root.root == pattern.root) text = root.prefix;
  }
  if (!text.empty() && !pattern.rest.empty()) text += '/';
  return text.append(pattern.rest);
}

Origin OriginOf(const PathPattern& pattern, Layer layer) {
  return Origin{layer, std::string(pattern.file), std::string(pattern.pointer), pattern.line};
}

}  // namespace mxc::policy
