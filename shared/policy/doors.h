// Paths that lead out of a sandbox, whatever a policy says: mxc's own files, WSL's ways to Windows and to other
// distributions, sockets of container engines, desktop and message bus. By name only: sockets that lie elsewhere are as
// dangerous when they are granted.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/caller.h"
#include "shared/policy/effective.h"
#include "shared/policy/path_pattern.h"

namespace mxc::policy {

class Doors {
 public:
  Doors(const PathRoots& roots, const Caller& caller);
  Doors(const Doors&) = delete;
  Doors& operator=(const Doors&) = delete;

  // Refuses (kRefused, kUnsupported) to grant `path`: /proc, /sys and /dev are made new for each sandbox; the paths above
  // are never granted; mxc's programs and configuration are never granted read-write.
  Result<void> CheckGrant(std::string_view path, Access access) const;

  // Adds the rules that keep these paths shut inside the granted trees: with layer kBuiltin, so that a drive of Windows
  // (the only ones that CheckGrant lets pass) can be granted by name.
  void AddTo(std::vector<PathRule>& rules) const;

 private:
  enum class Kind : uint8_t {
    kState,   // mxc's own state: shut, in every sandbox that is granted anything
    kOwn,     // mxc's own programs and configuration: read-only, where anything may be written
    kSocket,  // leads out: shut where a folder above is granted
    kDrive,   // of Windows: likewise, but may be granted by name
  };
  struct Shut {
    Kind kind;
    std::string_view path;  // a constant, or in made_
    std::string_view what;
  };
  void Add(Kind kind, std::string path, std::string_view what);
  friend struct DoorTable;

  std::vector<Shut> shut_;
  std::deque<std::string> made_;
};

}  // namespace mxc::policy
