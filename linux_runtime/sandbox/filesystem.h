// New file systems: fsopen(2) and its kin (Linux 5.2), which know every type. System calls only.
#pragma once

#include <cstdint>

namespace mxc::sandbox {

// options: key, value, …, nullptr; an empty value is a flag. attributes: MOUNT_ATTR_*. group_optional: "gid" is left out
// where it is -EINVAL, an id that the user namespace doesn't map: engines ask for the group tty (5) in every devpts,
// and terminals work without, as crun has it too. The detached mount or -errno.
int NewFilesystem(const char* type, const char* source, const char* const* options, uint64_t attributes,
                  bool group_optional = false);

}  // namespace mxc::sandbox
