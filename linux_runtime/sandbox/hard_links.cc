#include "linux_runtime/sandbox/hard_links.h"

#include <dirent.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

// Deep enough for every real tree; each level holds one descriptor.
constexpr int kMaxDepth = 200;

using Identity = std::pair<uint64_t, uint64_t>;

class Walk {
 public:
  Walk(const std::vector<LinkedFile>& files, const LinkSearch& search)
      : search_(search), deadline_(std::chrono::steady_clock::now() + search.max_time) {
    for (size_t i = 0; i < files.size(); ++i) {
      if (files[i].links < 2) continue;
      Wanted& wanted = wanted_[{files[i].device, files[i].inode}];
      wanted.file = i;
      devices_.insert(files[i].device);
    }
    missing_ = wanted_.size();
    for (auto& [identity, wanted] : wanted_) wanted.links = files[wanted.file].links;
  }

  void Tree(const std::string& path) {
    sys::UniqueFd folder(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (folder.valid()) {
      Folder(std::move(folder), path == "/" ? "" : path, 0);
      return;
    }
    // A granted file.
    struct stat stat {};
    if (::lstat(path.c_str(), &stat) == 0) Look(stat, path);
  }

  bool done() const { return missing_ == 0; }
  bool too_large() const { return too_large_; }

  struct Wanted {
    size_t file = 0;
    uint64_t links = 0;
    std::set<std::string> names;
  };
  const std::map<Identity, Wanted>& wanted() const { return wanted_; }

 private:
  void Look(const struct stat& stat, const std::string& path) {
    auto found = wanted_.find({stat.st_dev, stat.st_ino});
    if (found == wanted_.end()) return;
    if (found->second.names.insert(path).second && found->second.names.size() == found->second.links) --missing_;
  }

  void Folder(sys::UniqueFd folder, const std::string& path, int depth) {
    struct stat own {};
    if (sys::Fstat(folder.get(), &own) < 0 || !seen_.insert({own.st_dev, own.st_ino}).second) return;
    if (depth > kMaxDepth) too_large_ = true;
    if (too_large_) return;
    const int fd = folder.get();
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
    if (!stream) return;
    folder.release();  // the stream owns it
    while (const dirent* entry = ::readdir(stream.get())) {
      if (done() || too_large_) return;
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++entries_ > search_.max_entries || ((entries_ & 255) == 0 && std::chrono::steady_clock::now() > deadline_)) {
        too_large_ = true;
        return;
      }
      // Only files with a wanted inode number need a stat, and folders to be entered.
      const bool unknown = entry->d_type == DT_UNKNOWN, is_folder = entry->d_type == DT_DIR;
      if (!unknown && !is_folder && !HasInode(entry->d_ino)) continue;
      struct stat stat {};
      if (::fstatat(fd, name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) < 0) continue;
      if (!S_ISDIR(stat.st_mode)) {
        Look(stat, path + "/" + name);
        continue;
      }
      sys::UniqueFd next(sys::OpenAt(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      // Another device is entered too: the wanted one may be mounted below it.
      if (next.valid()) Folder(std::move(next), path + "/" + name, depth + 1);
    }
  }

  bool HasInode(uint64_t inode) const {
    for (uint64_t device : devices_) {
      if (wanted_.contains({device, inode})) return true;
    }
    return false;
  }

  const LinkSearch& search_;
  std::chrono::steady_clock::time_point deadline_;
  std::map<Identity, Wanted> wanted_;
  std::set<uint64_t> devices_;
  std::set<Identity> seen_;
  size_t missing_ = 0;
  uint64_t entries_ = 0;
  bool too_large_ = false;
};

}  // namespace

Result<std::vector<FoundLink>> FindOtherLinks(const std::vector<LinkedFile>& files, const LinkSearch& search) {
  Walk walk(files, search);
  for (const std::string& tree : search.trees) {
    if (!walk.done()) walk.Tree(tree);
  }
  std::vector<FoundLink> links;
  for (const auto& [identity, wanted] : walk.wanted()) {
    const LinkedFile& file = files[wanted.file];
    std::set<std::string> names = wanted.names;
    for (const LinkedFile& denied :
         files) {  // the name itself, or another denied one, may lie outside the granted trees
      if (Identity(denied.device, denied.inode) == identity) names.insert(denied.path);
    }
    if (names.size() < wanted.links) {
      const uint64_t missing = wanted.links - names.size();
      std::string message = "deny " + file.path + ": the file has " + std::to_string(wanted.links) +
                            " hard links, and " + std::to_string(missing) + " of them " +
                            (missing == 1 ? "was" : "were") + " not found in the granted folders";
      if (walk.too_large()) {
        message += ", which are too large to search (after " + std::to_string(search.max_entries) + " names or " +
                   std::to_string(search.max_time.count()) + " ms)";
      }
      return Error(Code::kRefused, std::move(message))
          .WithHint("copy the file over itself so that it has one link (cp -p F F.new && mv F.new F)");
    }
    for (const std::string& name : names) {
      const bool denied =
          std::any_of(files.begin(), files.end(), [&](const LinkedFile& other) { return other.path == name; });
      if (!denied) links.push_back({name, wanted.file});
    }
  }
  return links;
}

}  // namespace mxc::sandbox
