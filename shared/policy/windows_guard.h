// Places of Windows that no policy gets by accident: the system's folders, those that hold credentials, and folders
// that hold such folders. Each must be opened by naming it. Names only: call it with final paths, since a short name or
// a junction would lead past it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/windows_path.h"

namespace mxc::policy {

struct GuardedPlace {
  DrivePath path;
  std::string what;  // "the Windows folder"
};

// True if `path` is `ancestor` or lies below it. The case of ASCII letters is ignored, that of others is not: NTFS
// folds those too, by a table that is the volume's own. All guarded names are ASCII, and no other character folds to
// one of ASCII's there (ı, ſ and the Kelvin sign are upper-cased to themselves).
bool IsWithinIgnoringAsciiCase(const DrivePath& path, const DrivePath& ancestor);

// What guards `path`, outermost first; nothing: it may be granted as any other. On every drive, since more than one
// Windows or one set of profiles may exist:
//   is or lies below    Windows, Program Files…, ProgramData, the recycler and the like; at any depth AppData (with the
//                       startup folder), Start Menu, .ssh, .aws, .azure, .gnupg, .kube, .docker
//   is                  a drive's root, Users, a profile's root
// machine: further places of this machine (profiles that lie elsewhere, the disks of distributions, mxc's own folders).
// They guard what lies below them, and every folder that they lie below.
std::vector<GuardedPlace> GuardsOf(const DrivePath& path, std::span<const GuardedPlace> machine = {});

// kRefused unless each guard of `path` is opened: one of `opened` is or lies below the guarded place, and is `path` or
// lies above it. So naming AppData does not open a .ssh in it, and naming C:\ does not open C:\Windows.
Result<void> CheckUnguarded(const DrivePath& path, std::span<const DrivePath> opened,
                            std::span<const GuardedPlace> machine = {});

}  // namespace mxc::policy
