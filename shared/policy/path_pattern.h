// Paths of profiles and floors, which may start from something that only the run knows: "~/.ssh", "${cwd}/out".
//
// Patterns are views: a profile's few hundred are compiled into the program as constants, so that a run copies none of
// those it doesn't need. What is read from a file lives in a TextPool.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/policy/effective.h"

namespace mxc::policy {

enum class PathRoot : uint8_t {
  kAbsolute,    // "/usr"
  kHome,        // "~/.ssh": the caller's home
  kCwd,         // "${cwd}/out": the run's working directory
  kRuntimeDir,  // "${xdg_runtime_dir}/bus": XDG_RUNTIME_DIR, else /run/user/UID
  kGranted,     // "${granted}/.envrc": below each path that is granted read-write
};

struct PathPattern {
  PathRoot root = PathRoot::kAbsolute;
  bool has_uid = false;  // ${uid} stands in rest, for the caller's user id
  bool if_present = false;
  uint32_t line = 0;         // where it is written
  std::string_view rest;     // absolute and normal for kAbsolute; else what follows the root, normal, "" for itself
  std::string_view file;     // name of the profile, part or floor
  std::string_view pointer;  // JSON pointer in it
};

// Owns text for views. Copies share it, so that a copied profile stays valid.
class TextPool {
 public:
  std::string_view Keep(std::string text) {
    texts_->push_back(std::move(text));
    return texts_->back();
  }

 private:
  std::shared_ptr<std::deque<std::string>> texts_ = std::make_shared<std::deque<std::string>>();
};

// Reads the forms above; fills root, has_uid and rest. Errors (kInvalid): relative, "..", wildcards, unknown variables.
Result<PathPattern> ParsePathPattern(std::string_view text, TextPool& pool);

// What the roots are in one run. All in normal form; empty: not known.
struct PathRoots {
  std::string home;
  std::string cwd;
  std::string runtime_dir;
  std::string uid;
  std::string automount_root = "/mnt";  // where WSL shows Windows drives
};

// The path that a pattern stands for; nothing where its root isn't known. `granted` is what ${granted} stands for.
std::optional<std::string> Expand(const PathPattern& pattern, const PathRoots& roots, std::string_view granted = {});

// The pattern as it is written: "~/.ssh".
std::string Spell(const PathPattern& pattern);

Origin OriginOf(const PathPattern& pattern, Layer layer);

}  // namespace mxc::policy
