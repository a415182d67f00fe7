// Where the runtime keeps what it knows of its containers: one folder each below the root, named by the container's id.
//
//   ROOT/ID/state         state.h; only ever appended to
//   ROOT/ID/config.json   the configuration that the container was made from
//   ROOT/ID/start         fifo: a byte lets the container's first process go on to its program
//   ROOT/ID/landlock      landlock_rules.h, of a container that has such rules
//   ROOT/ID/keeper        keeper.h, of a container with denied or protected names
//   ROOT/ID/started       fifo: what went wrong on that way; its end when the program runs
//
// The folder itself carries the lock (flock(2)): who changes a container holds it, and the kernel gives it back when a
// holder is killed. Reading takes no lock. Nothing is synced to a disk: a machine that stops ends all containers, and what
// such an end leaves of a state is either read or deleted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/container/state.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::container {

inline constexpr char kStartFifo[] = "start";
inline constexpr char kStartedFifo[] = "started";

// One container's folder, open.
class Entry {
 public:
  const std::string& id() const { return id_; }
  const std::string& path() const { return path_; }
  int folder() const { return folder_.get(); }

  // Waits for the lock. kNotFound: the container was deleted meanwhile.
  Result<void> Lock();
  // Nothing: there is no state yet, or no more.
  Result<std::optional<State>> ReadState() const;
  // A line of state.h.
  Result<void> AppendState(const std::string& line) const;
  Result<std::string> ReadFile(const char* name) const;
  // A file that isn't there yet.
  Result<void> WriteFile(const char* name, std::string_view content) const;
  // Removes the folder and what is in it.
  Result<void> Remove();

 private:
  friend class Store;
  std::string id_, path_;
  sys::UniqueFd root_, folder_;
};

class Store {
 public:
  // Makes the folder and those above it if need be. Errors: kRefused when somebody else may write in it.
  static Result<Store> Open(const std::string& path);

  // A new container, locked. Errors: kInvalid for an id with other characters than letters, digits and "_+-."; kRefused
  // when the id is taken. What a killed `create` left before it wrote a state is taken over.
  Result<Entry> Create(const std::string& id) const;
  // Errors: kNotFound, "container does not exist", which callers look for.
  Result<Entry> Find(const std::string& id) const;
  Result<std::vector<std::string>> Ids() const;
  const std::string& path() const { return path_; }

 private:
  Result<Entry> OpenEntry(const std::string& id) const;
  std::string path_;
  sys::UniqueFd folder_;
};

}  // namespace mxc::container
