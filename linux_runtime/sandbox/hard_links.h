// Other names of a denied file. A cover hangs on a name, so a second hard link in a granted tree would be a way around it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace mxc::sandbox {

// A denied file, as the plan opened it.
struct LinkedFile {
  std::string path;  // on the host, canonical: the name that the rule gives
  uint64_t device = 0, inode = 0;
  uint64_t links = 1;  // st_nlink
};

struct LinkSearch {
  std::vector<std::string> trees;  // granted folders on the host, canonical; a tree within another is walked once
  uint64_t max_entries = 200000;   // names looked at
  std::chrono::milliseconds max_time{2000};
};

struct FoundLink {
  std::string path;  // on the host, another name of the file
  size_t file = 0;   // index into the denied files
};

// The other links of `files` (only those with more than one) below the trees, by walking them on the files' devices;
// symbolic links aren't followed, and unreadable folders are passed over (nobody inside can read them either, as they
// run with the caller's rights; when started as root there are none). When fewer names are found than a file has
// links, the rest may lie anywhere, also outside the grants where it does no harm; which, nobody can tell without
// having seen them, so that is an error: kRefused, naming the file and how many weren't found, or that the search was
// too large to finish.
Result<std::vector<FoundLink>> FindOtherLinks(const std::vector<LinkedFile>& files, const LinkSearch& search);

}  // namespace mxc::sandbox
