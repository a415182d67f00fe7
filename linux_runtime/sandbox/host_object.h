// What a path of a policy or spec names on this host, opened once. Everything decided about it later goes by the
// descriptor and by (device, inode), never by the path again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

struct HostObject {
  sys::UniqueFd fd;           // O_PATH
  std::string canonical;      // without symbolic links, as the kernel tells
  bool through_link = false;  // the path led over a symbolic link
  std::string link_target;    // of the last component, when that is a link; else ""
  uint64_t device = 0, inode = 0;
  uint32_t mode = 0;   // st_mode
  uint64_t links = 0;  // st_nlink
  bool directory() const;
  bool regular() const;
};

// Errors: kNotFound when a component is missing (the only one with that code), kSystem else. through_link: set to true
// when the path led over a symbolic link, also where it is then an error.
Result<HostObject> OpenHostObject(const std::string& path, bool* through_link = nullptr);
// Of what is open already (O_PATH), by a walk that followed no link.
Result<HostObject> HostObjectOf(sys::UniqueFd fd);
// The error for a missing one; system_errno is ENOENT or ENOTDIR.
Error MissingObject(const std::string& path, int system_errno);
// As OpenHostObject, but a symbolic link at the end of the path is the object itself.
Result<HostObject> OpenHostLink(const std::string& path);

// One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), with the octal escapes taken out.
struct HostMount {
  uint64_t device = 0;
  std::string root;  // of the mount within its file system
  std::string mount_point;
};

Result<std::vector<HostMount>> ReadHostMounts();

// Other names of the object at `canonical` on this host: through bind mounts of its file system. Each was looked at
// and is the same object. Hard links are not found this way (hard_links.h).
std::vector<std::string> OtherMountNames(const HostObject& object, const std::vector<HostMount>& mounts);

// Mount points outside of the folder that show something deeper in it: /g/keys after mount --bind /home/me/.ssh/keys /g/keys.
std::vector<std::string> PartsMountedElsewhere(const HostObject& folder, const std::vector<HostMount>& mounts);

// True for the folder itself and what is below: ("/a", "/a/b"). Both in normal form.
bool IsBelow(const std::string& folder, const std::string& path);
// The rest of `path` below `folder`: "" or "/b".
std::string RestBelow(const std::string& folder, const std::string& path);
// folder + rest, without a double slash for "/".
std::string JoinPath(const std::string& folder, const std::string& rest);
std::string ParentOf(const std::string& path);  // "/a/b" → "/a", "/a" → "/"
std::string NameOf(const std::string& path);    // "/a/b" → "b"

}  // namespace mxc::sandbox
