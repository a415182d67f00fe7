// Which mount of a distribution shows a drive of Windows. WSL mounts drives as 9p (with "aname=drvfs;path=C:\;…" among
// the options), as drvfs or as virtiofs, on /etc/wsl.conf's automount.root or wherever an administrator says; so a
// drive is looked for by what is mounted, never by the name of a folder.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/relay/mountinfo.h"
#include "shared/base/result.h"

namespace mxc::relay {

// The file system types of drives.
std::vector<std::string> DriveTypes();

// The first mount of the drive's root that its path leads to. drive: 'A' to 'Z'.
// Its source is X:\ (or X:, X:/), or, where the source names no drive at all, its option path= is. Source and options
// that contradict each other, a part of the drive only, and mounts that are hidden by others are passed over.
// Errors (kRefused): none; the message says what was looked for and what was passed over, the hint what to do.
Result<MountEntry> FindDriveMount(const std::vector<MountEntry>& mounts, char drive,
                                  const std::vector<std::string>& types);

}  // namespace mxc::relay
