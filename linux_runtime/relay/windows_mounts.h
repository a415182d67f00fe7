// Folders and files that Windows names, as detached mounts which another process may attach: in the mount namespace of
// whoever calls this. Nothing is mounted on demand, and no name of a folder is trusted: a drive is the mount that shows
// its root, and the walk below it follows no link and crosses no mount.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/relay/drive_mount.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/policy/windows_path.h"

namespace mxc::relay {

struct MountTypes {
  std::vector<std::string> drive = DriveTypes();
  // File systems whose folders may be named by a path of the distribution.
  std::vector<std::string> disk = {"ext2", "ext3",     "ext4",    "xfs",   "btrfs",    "f2fs",
                                   "zfs",  "bcachefs", "overlay", "tmpfs", "squashfs", "erofs"};
};

// A folder or regular file, held by an O_PATH descriptor.
struct OpenedPath {
  sys::UniqueFd fd;
  bool directory = false;
  std::string shown;  // for messages
};

// path: as CheckDrivePath wants it. Case is what the drive's file system makes of it.
// Errors: kInvalid; kRefused when no mount shows the drive, when a component is a symbolic link or has something
// mounted on it, for sockets, pipes and devices; kNotFound; kSystem. The message names the component.
Result<OpenedPath> OpenDrivePath(const policy::DrivePath& path, const MountTypes& types = {});

// A path of the distribution itself. Mounts of disks may be crossed, links may not be followed.
// Errors: as OpenDrivePath; kRefused also for the whole root, for /proc, /sys, /dev, /run, /mnt/wsl, /mnt/wslg, /init,
// /usr/lib/wsl and what lies below them or is a tmpfs of theirs under another name, and for whatever is reached through
// a mount of another type than types.disk: drives have names of their own. What an administrator has put into a disk's
// mount himself, an overlay over a drive say, is not looked into.
Result<OpenedPath> OpenDistroPath(const policy::DistroPath& path, const MountTypes& types = {});

struct CloneOptions {
  bool readonly = true;
  bool noexec = false;
};

// A detached, private mount of the object alone: what is mounted below it is not part of it, and shows what lies under
// such mounts. Always nosuid and nodev; it goes when the descriptor does, unless attached.
// Errors: kSystem; the caller needs CAP_SYS_ADMIN in the user namespace of its mount namespace.
Result<sys::UniqueFd> CloneMount(const OpenedPath& object, const CloneOptions& options);

}  // namespace mxc::relay
