// Windows paths of a policy as the paths that WSL shows them under. Lexical and strict: what Windows would interpret
// (device names, streams, trailing dots, "..", private characters) is refused with the reason, never interpreted a
// second time by rules of ours, since two interpretations of one name are how policies get bypassed. WSL's own wslpath
// is lax there and is not used.
//
// What text can't tell is left to whoever opens the object: short names (PROGRA~1), junctions, case, other mounts on the
// way. The runtime settles such aliases by device and inode.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::policy {

struct WslTarget {
  std::string automount_root = "/mnt";  // automount.root of /etc/wsl.conf: where drives appear
  std::string distro;                   // registered name of the distribution; "": unknown
};

// True for what Windows would take as a path with a drive, a share or a root of its own: "c:…" and "\…". A path that
// starts with / is always one of Linux.
bool LooksLikeWindowsPath(std::string_view path);

// Takes exactly these, and returns a path in normal form:
//   C:\dir\x  C:/dir/x  \\?\C:\dir\x                      <automount_root>/c/dir/x
//   \\wsl.localhost\DISTRO\dir\x  \\wsl$\DISTRO\dir\x     /dir/x, when DISTRO is the target's (ASCII case doesn't matter)
// Errors (kInvalid; kRefused for other distributions and other shares): everything else.
Result<std::string> TranslateWindowsPath(std::string_view path, const WslTarget& target);

}  // namespace mxc::policy
