// The process that keeps the denied and protected names of a container (annotations dev.mxc.denied, dev.mxc.protect) as they
// are: CoverKeeper's side that moves things away and reports. It is the only process of ours that stays with a container, and
// its guard with it; each ends the container when the other goes.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/container/store.h"
#include "linux_runtime/sandbox/cover_keeper.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::container {

class Keeper {
 public:
  // Starts it, while the container builds its root. options: with the container's process.
  // runtime_directory: as OpenStateFolder of run/state_folder.h, below which what was made inside is moved.
  static Result<Keeper> Start(sandbox::KeeperOptions options, const Entry& entry, bool privileged,
                              std::string runtime_directory);
  // The guard joins the container and covers what is exposed before this returns. Once, when the root stands.
  Result<void> Join();
  // From here on it stays until the container ends. Without this its end and the container's is that of this object.
  Result<void> Release();

 private:
  explicit Keeper(sys::UniqueFd socket) : socket_(std::move(socket)) {}
  sys::UniqueFd socket_;
};

// What the keeper of a container that has ended has to say, a sentence each: names that were covered, or where things lie that
// were moved away. Waits for it, but not for ever. Nothing for a container without one.
std::vector<std::string> KeeperReport(const Entry& entry);

}  // namespace mxc::container
