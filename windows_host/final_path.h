// What object a path of Windows names, held in its place: the text of a path can't tell short names, junctions, links,
// subst drives and mounted volumes from plain folders, and may name another object a moment later.
//
// What this can't do: hard links and junctions that are made inside a held folder later lead where they lead, and a
// process of the same user that holds a handle with delete access from before may still use it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/windows_path.h"
#include "windows_host/handle.h"

namespace mxc::windows {

// FILE_ID_INFO: one object on this machine, whatever it is called.
struct FileId {
  uint64_t volume = 0;  // serial number
  std::array<uint8_t, 16> file{};
  bool operator==(const FileId&) const = default;
};

// An object and the handle that keeps it from being renamed, replaced and deleted, and its folders with it: it is
// opened without FILE_SHARE_DELETE, and NTFS renames no folder with something open below. It is to live as long as the
// container that the object is mounted into.
class HeldPath {
 public:
  HeldPath(UniqueHandle handle, policy::DrivePath path, std::vector<FileId> ids, bool directory)
      : handle_(std::move(handle)), path_(std::move(path)), ids_(std::move(ids)), directory_(directory) {}

  // The final path: long names in their true case, no link on the way.
  const policy::DrivePath& path() const { return path_; }
  const FileId& id() const { return ids_.back(); }
  // From the drive's root over each folder to the object: one more than the path has components.
  const std::vector<FileId>& ids() const { return ids_; }
  bool directory() const { return directory_; }
  void* handle() const { return handle_.get(); }

 private:
  UniqueHandle handle_;
  policy::DrivePath path_;
  std::vector<FileId> ids_;
  bool directory_;
};

// Opens what `path` names and follows every link of Windows to it. Nothing is created.
// Errors: kNotFound; kInvalid for a path that ParseWindowsPath would not make, and for a final one; kRefused for what
// lies not on a local fixed drive with the letter that its final path says, for devices, and for objects with a reparse
// point of their own (a file that OneDrive keeps elsewhere, say); kSystem, a folder on the way that the user may not
// look at among the rest.
Result<HeldPath> HoldPath(const policy::DrivePath& path);

// True if `path` is `ancestor` or lies below it, names compared as NTFS does by default: by upper case of each UTF-16
// unit (CompareStringOrdinal), in no language. Names only.
bool IsWithinIgnoringCase(const policy::DrivePath& path, const policy::DrivePath& ancestor);

// Whether a policy with these roots grants `path`. A denied root wins, by its name or its file id, and so does one that
// is only equal but for case. An allowed root counts when its name and its id both stand above `path`: in a folder that
// tells case apart, another object may bear the same name.
// Errors: kRefused.
Result<void> CheckGranted(const HeldPath& path, std::span<const HeldPath> allowed, std::span<const HeldPath> denied);

}  // namespace mxc::windows
