// inotify watches on every folder from the container's root down to each kept name, as far as they exist.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "linux_runtime/sys/fd.h"

namespace mxc::sandbox {

class NameWatches {
 public:
  // inotify: from InotifyInit, made by the caller beforehand.
  explicit NameWatches(sys::UniqueFd inotify) : inotify_(std::move(inotify)) {}

  // Adds a name by the components of its path; returns its index.
  size_t Add(std::vector<std::string> parts);

  // Watches what exists of the way to the name now. Whoever calls it looks at the name afterwards, not before: what
  // changed before the watch stood raised no event. root: the container's root. Calls on_parent with the descriptor
  // of the folder that holds the name when it exists. 0, or -errno of a folder that exists but can't be watched.
  int Arm(size_t index, int root, const std::function<void(int)>& on_parent);

  // The same for every name at once, before any was armed: each folder is opened and watched once. The descriptor that
  // on_parent gets stays open, and so unique, until this returns.
  int ArmAll(int root, const std::function<void(size_t index, int folder)>& on_parent);

  // Reads what happened. changed is called with an index whose name itself changed (way: false) or whose way did.
  void Read(const std::function<void(size_t index, bool way)>& changed);

  int descriptor() const { return inotify_.get(); }

 private:
  struct Entry {
    std::vector<std::string> parts;
    std::vector<int> watches;  // by depth
  };
  void Forget(size_t index, size_t depth);
  void Dispatch(int watch, uint32_t mask, const char* name, const std::function<void(size_t, bool)>& changed);

  sys::UniqueFd inotify_;
  std::vector<Entry> entries_;
  std::map<int, std::vector<std::pair<size_t, size_t>>> users_;  // watch → (index, depth)
};

}  // namespace mxc::sandbox
