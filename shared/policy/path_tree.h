// The path tree: which rule holds for a path. Purely lexical: components are compared byte by byte and nothing is
// opened, so that Windows and Linux settle a policy the same way. Symbolic links, bind mounts and hard links are the
// runtime's business, which opens each path once and settles aliases by device and inode.
//
// A tree is a vector of PathRule sorted by path with one rule a path (EffectivePolicy::paths). A rule holds for its
// path and everything below, until a longer path says otherwise. A path below no rule does not exist inside.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/effective.h"

namespace mxc::policy {

// Longest path the kernel takes, without its final NUL (PATH_MAX in linux/limits.h is 4096).
inline constexpr size_t kMaxPathBytes = 4095;
inline constexpr size_t kMaxNameBytes = 255;  // NAME_MAX

// The normal form of an absolute path: no "//", "." or "..", no trailing "/". ".." takes away the component before it,
// as a name: what a symbolic link there would do can't be known here, and the runtime opens the normal form only.
// Errors (kInvalid): relative, NUL inside, ".." above the root, longer than the kernel takes.
Result<std::string> Normalise(std::string_view path);

// True if `path` is in normal form already.
bool IsNormal(std::string_view path);

// True if `path` is `ancestor` or lies below it, by components (/a/b is below /a, /ab is not). Both in normal form.
// Inline, and the boundary first, where most pairs differ: a start asks this some thousand times.
inline bool IsWithin(std::string_view path, std::string_view ancestor) {
  if (ancestor == "/") return true;
  if (path.size() <= ancestor.size()) return path == ancestor;
  return path[ancestor.size()] == '/' && path.starts_with(ancestor);
}

// `base`/`relative` for a base in normal form; "/" takes no second slash.
std::string Join(std::string_view base, std::string_view relative);

// The directory above, "/" for "/". Normal form in, normal form out.
std::string_view Parent(std::string_view path);

// What several rules on one path come to: the strictest access, from the first rule that asks for it; it may be missing
// only if every rule of that access says so; protected if any rule of that access is.
// Keeps everything else: two names of which one looks redundant may be links to different objects.
// Returns the tree: sorted by path, one rule a path. Paths must be in normal form.
std::vector<PathRule> BuildTree(std::vector<PathRule> rules);

// The same for rules in layers: on one path only the rules of the highest layer that names it count, so that a policy
// can grant what its profile denies by naming exactly that path. Layers are compared by their enum value.
//
// Rules with `protect` take away and never grant: they count only where the other rules give read-write access, unless a
// higher layer names exactly their path.
std::vector<PathRule> BuildLayeredTree(std::vector<PathRule> rules);

// The rule that decides about `path` (normal form): that of the path itself or of its nearest ancestor; nullptr if
// there is none. `tree` as BuildTree returns it.
const PathRule* Lookup(std::span<const PathRule> tree, std::string_view path);

// The rule on exactly this path, or nullptr.
const PathRule* Find(std::span<const PathRule> tree, std::string_view path);

}  // namespace mxc::policy
