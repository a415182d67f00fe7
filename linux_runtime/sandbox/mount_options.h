// The words of a mount's option list, as what the kernel is told.
//
// Source: runtime-spec 1.2 config.md, "Linux mount options"; mount(8); mount_setattr(2). copy-symlink, dest-nofollow and
// src-nofollow are crun's additions, which podman passes; bind-nonrecursive is containerd's.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

struct ParsedOptions {
  uint64_t set = 0, clear = 0;          // MOUNT_ATTR_* for the mount and all below
  uint64_t top_set = 0, top_clear = 0;  // for the mount itself
  bool bind = false, recursive = false;
  std::vector<std::pair<std::string, std::string>> data;  // of the file system; "" for a flag
  uint32_t legacy = 0;                                    // MS_* that only mount(2) knows
  // MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE, with MS_REC for the mounts below; 0: none was asked for.
  uint32_t propagation = 0;
  bool idmap = false, idmap_below = false;
  bool copy_up = false;       // tmpfs: starts with what the image has there
  bool copy_symlink = false;  // a source that is a symbolic link becomes such a link
  bool target_nofollow = false, source_nofollow = false;
  bool remount = false;
  std::string bundle_only;  // the first word that only plain bundles may use
  bool readonly() const { return ((set | top_set) & 1 /* MOUNT_ATTR_RDONLY */) != 0; }
};

// whole: attributes hold for what is mounted below, too, with or without an "r" in front. Errors: kUnsupported with the
// word, where a bind mount is given one of a file system, which it shares with its source, or one nobody knows.
Result<ParsedOptions> ParseMountOptions(const oci::Mount& mount, bool whole);

// "private", "rslave", … as MS_* with MS_REC; 0 for another word.
uint32_t Propagation(std::string_view word);

}  // namespace mxc::sandbox
