#include "linux_runtime/sandbox/cover_keeper_watches.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "linux_runtime/sys/inotify.h"

namespace mxc::sandbox {
namespace {

constexpr uint32_t kMask =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

size_t NameWatches::Add(std::vector<std::string> parts) {
  Entry entry;
  entry.watches.assign(parts.size(), -1);
  entry.parts = std::move(parts);
  entries_.push_back(std::move(entry));
  return entries_.size() - 1;
}

void NameWatches::Forget(size_t index, size_t depth) {
  int& watch = entries_[index].watches[depth];
  if (watch < 0) return;
  auto users = users_.find(watch);
  if (users != users_.end()) {
    std::erase(users->second, std::pair(index, depth));
    if (users->second.empty()) {
      users_.erase(users);
      sys::InotifyRemove(inotify_.get(), watch);
    }
  }
  watch = -1;
}

int NameWatches::Arm(size_t index, int root, const std::function<void(int)>& on_parent) {
  Entry& entry = entries_[index];
  int failed = 0;
  sys::UniqueFd folder(sys::OpenAt(root, ".", O_PATH | O_DIRECTORY));
  for (size_t depth = 0; depth < entry.parts.size(); ++depth) {
    int watch = folder.valid() ? sys::InotifyAddFolder(inotify_.get(), folder.get(), kMask) : -ENOENT;
    if (watch != entry.watches[depth]) {
      Forget(index, depth);
      if (watch >= 0) {
        entry.watches[depth] = watch;
        users_[watch].emplace_back(index, depth);
      }
    }
    if (!folder.valid()) continue;
    // A folder on the way that nobody inside may read can't be watched, nor changed in the container's sight; but the
    // one that holds the name must be.
    if (watch < 0 && (depth + 1 == entry.parts.size() || watch != -EACCES)) failed = watch;
    if (depth + 1 == entry.parts.size()) {
      on_parent(folder.get());
      break;
    }
    int next = sys::OpenAt2(folder.get(), entry.parts[depth].c_str(), O_PATH | O_NOFOLLOW | O_DIRECTORY, 0,
                            RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH);
    folder.reset(next < 0 ? -1 : next);
  }
  return failed;
}

int NameWatches::ArmAll(int root, const std::function<void(size_t, int)>& on_parent) {
  struct Folder {
    sys::UniqueFd fd;
    int watch = -1;
  };
  // By path. A folder replaced meanwhile raises an event in the one above, which is watched before it is opened.
  std::map<std::string, Folder> folders;
  int failed = 0;
  for (size_t index = 0; index < entries_.size(); ++index) {
    Entry& entry = entries_[index];
    std::string path;
    const Folder* above = nullptr;
    for (size_t depth = 0; depth < entry.parts.size(); ++depth) {
      auto [at, fresh] = folders.try_emplace(path);
      Folder& folder = at->second;
      if (fresh) {
        const char* name = depth == 0 ? "." : entry.parts[depth - 1].c_str();
        uint64_t resolve = depth == 0 ? 0 : RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
        int fd = sys::OpenAt2(depth == 0 ? root : above->fd.get(), name, O_PATH | O_NOFOLLOW | O_DIRECTORY, 0, resolve);
        folder.fd.reset(fd < 0 ? -1 : fd);
        folder.watch = fd < 0 ? -ENOENT : sys::InotifyAddFolder(inotify_.get(), fd, kMask);
      }
      if (!folder.fd.valid()) break;
      if (folder.watch >= 0) {
        entry.watches[depth] = folder.watch;
        users_[folder.watch].emplace_back(index, depth);
      } else if (depth + 1 == entry.parts.size() || folder.watch != -EACCES) {
        failed = folder.watch;  // as in Arm
      }
      if (depth + 1 == entry.parts.size()) on_parent(index, folder.fd.get());
      above = &folder;
      path += '/';
      path += entry.parts[depth];
    }
  }
  return failed;
}

void NameWatches::Dispatch(int watch, uint32_t mask, const char* name,
                           const std::function<void(size_t, bool)>& changed) {
  if (mask & IN_Q_OVERFLOW) {
    for (size_t index = 0; index < entries_.size(); ++index) changed(index, true);
    return;
  }
  auto users = users_.find(watch);
  if (users == users_.end()) return;
  const auto affected = users->second;  // changed may arm again
  const bool self = (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0;
  if (mask & IN_IGNORED) {
    users_.erase(users);
    for (auto [index, depth] : affected) entries_[index].watches[depth] = -1;
  }
  for (auto [index, depth] : affected) {
    const Entry& entry = entries_[index];
    if (self) {
      changed(index, true);
    } else if (entry.parts[depth] == name) {
      changed(index, depth + 1 != entry.parts.size());
    }
  }
}

void NameWatches::Read(const std::function<void(size_t, bool)>& changed) {
  alignas(inotify_event) char buffer[16384];
  // Many events for one name (a folder in churn) are one reason to look.
  std::set<std::pair<size_t, bool>> seen;
  for (;;) {
    long size = sys::Read(inotify_.get(), buffer, sizeof buffer);
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      Dispatch(event->wd, event->mask, event->len != 0 ? event->name : "",
               [&](size_t index, bool way) { seen.emplace(index, way); });
      at += static_cast<long>(sizeof(inotify_event)) + event->len;
    }
    if (size < static_cast<long>(sizeof buffer / 2)) break;
  }
  for (auto [index, way] : seen) changed(index, way);
}

}  // namespace mxc::sandbox
