// Windows paths of a policy: where one leads, and the path that WSL shows it under. Lexical and strict: what Windows
// would interpret (device names, streams, trailing dots, "..", private characters) is refused with the reason, never
// interpreted a second time by rules of ours, since two interpretations of one name are how policies get bypassed.
// WSL's own wslpath is lax there and is not used.
//
// What text can't tell is left to whoever opens the object: short names (PROGRA~1), junctions, case, other mounts on
// the way. On Windows that is windows_host/final_path.h, in the distribution linux_runtime/relay/windows_mounts.h.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shared/base/result.h"

namespace mxc::policy {

struct WslTarget {
  std::string automount_root = "/mnt";  // automount.root of /etc/wsl.conf: where drives appear
  std::string distro;                   // registered name of the distribution; "": unknown
};

// A place on a drive of Windows.
struct DrivePath {
  char drive = 'C';                     // 'A' to 'Z'
  std::vector<std::string> components;  // UTF-8, none of them special to Windows; none at all: the drive's root
  bool operator==(const DrivePath&) const = default;
};

// A place in the target distribution itself.
struct DistroPath {
  std::string path;  // absolute, in normal form
  bool operator==(const DistroPath&) const = default;
};

using WindowsPlace = std::variant<DrivePath, DistroPath>;

// True for what Windows would take as a path with a drive, a share or a root of its own: "c:…" and "\…". A path that
// starts with / is always one of Linux.
bool LooksLikeWindowsPath(std::string_view path);

// Takes exactly these:
//   C:\dir\x  C:/dir/x  \\?\C:\dir\x                      DrivePath
//   \\wsl.localhost\DISTRO\dir\x  \\wsl$\DISTRO\dir\x     DistroPath, when DISTRO is the target's (in any ASCII case)
// One separator may stand at the end. path: UTF-8; WTF-8 of an unpaired surrogate is malformed.
// Errors (kInvalid; kRefused for other distributions, other shares and devices): everything else. The message names the
// component at fault, counted from 1 behind the drive or the distribution.
Result<WindowsPlace> ParseWindowsPath(std::string_view path, const WslTarget& target);

// The path in normal form that the place has in the distribution: <automount_root>/c/dir/x, or /dir/x.
// Errors: as ParseWindowsPath; kInvalid for an automount root that is no absolute path.
Result<std::string> TranslateWindowsPath(std::string_view path, const WslTarget& target);

// "C:\dir\x": ParseWindowsPath gives the same place for it.
std::string WindowsText(const DrivePath& path);

// Whether ParseWindowsPath could have made this: for a place that comes from elsewhere, over a socket.
// Errors: kInvalid, kRefused.
Result<void> CheckDrivePath(const DrivePath& path);

}  // namespace mxc::policy
