// Ids and a home for a session that asks for its own (x-linux.isolation: session): a range of host ids that no account, no
// subordinate range, no other sandbox and no other session has, and a folder that belongs to its first id.
//
//   FOLDER/next          where the search for a range goes on, so that ids are used again as late as can be
//   FOLDER/ID/home       what the sandbox sees
//   FOLDER/ID/run, cache what its supervisor keeps of its own
//
// A range is taken for as long as its folder is there, whoever restarts meanwhile. What a folder holds is removed by a process
// with the session's own rights (EmptyFolder): a link or a mount in it leads that no further than the session came itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::daemon {

// Above the ranges of `mxc run` as root (run/id_range.h), below the ids that overflow signed integers.
inline constexpr uint32_t kFirstSessionId = 0x7f000000;
inline constexpr uint32_t kIdsPerSession = 4096;
inline constexpr uint32_t kSessionRanges = 4095;  // the last one stays free: 0x7fffffff is an end mark to some
inline bool IsSessionId(uid_t uid) {
  return uid >= kFirstSessionId && uid < kFirstSessionId + kSessionRanges * kIdsPerSession;
}

// Whether [first, first + count) meets a range of a text in the form of subuid(5), or an id of one in that of passwd(5) or group(5).
bool MeetsSubordinateIds(std::string_view subuid, uint32_t first, uint32_t count);
bool MeetsAccounts(std::string_view passwd, uint32_t first, uint32_t count);

class Homes {
 public:
  // Makes the folder where it isn't there. Error (kRefused): it is not root's alone to write.
  static Result<Homes> Open(const std::string& folder);

  std::string PathOf(const std::string& id) const { return folder_ + "/" + id; }
  // A range and a folder for that session; returns the range's first id. Error (kRefused): all ranges are taken.
  Result<uint32_t> Make(const std::string& id);
  // The session's folder, for EmptyFolder. Error (kNotFound).
  Result<sys::UniqueFd> OpenFolder(const std::string& id) const;
  // Once it is empty; false: it isn't.
  bool Remove(const std::string& id) const;
  struct Home {
    std::string id;
    uint32_t first_id = 0;
  };
  std::vector<Home> All() const;

 private:
  std::string folder_;
  sys::UniqueFd fd_;
};

// Ends every process of this process's user but itself, then removes all that lies in the folder and that this user can remove.
// Follows no link and enters no other mount. For a process that has become the session's user.
void EmptyFolder(int folder);

}  // namespace mxc::daemon
