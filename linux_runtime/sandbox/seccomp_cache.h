// Programs for lists that were compiled before: the shipped lists' are part of the binary (made at build time), others
// lie in a folder of the caller.
//
// The folder is used only when it belongs to the effective user and nobody else may enter it (0700); an entry holds its
// whole list, which must equal the one asked for, so a collision of names or a forged list can't bring a wrong program.
// The checksum finds damaged files; against the folder's owner it is no protection, nor is any needed.
#pragma once

#include <string>

#include "linux_runtime/sandbox/seccomp.h"

namespace mxc::sandbox {

class SeccompCache {
 public:
  // folder: made (0700) on the first store if its parent exists; "" for none.
  explicit SeccompCache(std::string folder) : folder_(std::move(folder)) {}

  // As CompileSeccomp, from the binary or the folder where possible. A folder that can't be used costs time only.
  // SeccompProgram::origin says where it came from.
  Result<SeccompProgram> Get(const oci::LinuxSeccomp& list) const;

  // Entries beyond this number are not stored, so that a caller of many lists can't fill the disk.
  static constexpr int kMaxEntries = 256;

 private:
  std::string folder_;
};

// The program that was compiled at build time; one with empty code when the list isn't a shipped one.
SeccompProgram ShippedSeccomp(const oci::LinuxSeccomp& list);

// Every member, so that equal text means equal lists.
std::string CanonicalSeccomp(const oci::LinuxSeccomp& list);

}  // namespace mxc::sandbox
