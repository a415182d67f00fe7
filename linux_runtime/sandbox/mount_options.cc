#include "linux_runtime/sandbox/mount_options.h"

#include <sys/mount.h>

#include <algorithm>

namespace mxc::sandbox {
namespace {

struct Flag {
  std::string_view name;
  uint64_t set, clear;
};

// The access-time modes are one field of the attribute, so setting one clears the field first. relatime is the kernel's
// mode where none is asked for; "norelatime" asks for the one that is neither relatime nor noatime.
constexpr Flag kFlags[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
};

// What a new mount is like anyway; "silent" and "loud" are about the kernel's log; the rest is for fstab's readers.
constexpr std::string_view kIgnored[] = {"defaults", "async", "nolazytime", "nomand", "noiversion",
                                         "silent",   "loud",  "auto",       "noauto", "nouser"};

// Of the file system as a whole; the kernel takes them beside its own parameters (fs/fs_context.c).
constexpr std::string_view kOfFilesystem[] = {"sync", "dirsync", "lazytime", "mand"};

struct Word {
  std::string_view name;
  bool ParsedOptions::*member;
};
constexpr Word kWords[] = {
    {"tmpcopyup", &ParsedOptions::copy_up},
    {"copy-symlink", &ParsedOptions::copy_symlink},
    {"dest-nofollow", &ParsedOptions::target_nofollow},
    {"src-nofollow", &ParsedOptions::source_nofollow},
    {"remount", &ParsedOptions::remount},
    {"idmap", &ParsedOptions::idmap},
};

template <typename List>
bool IsOneOf(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

const Flag* FindFlag(std::string_view word) {
  const Flag* found =
      std::find_if(std::begin(kFlags), std::end(kFlags), [&](const Flag& flag) { return flag.name == word; });
  return found == std::end(kFlags) ? nullptr : found;
}

// The last of two opposite options wins, as in mount(8).
bool AddFlag(ParsedOptions& parsed, std::string_view word, bool whole) {
  const Flag* flag = FindFlag(word);
  // "rro" is "ro" for everything below as well; "ro" itself starts with r, so the plain names go first.
  bool below = whole;
  if (flag == nullptr && word.starts_with('r')) {
    flag = FindFlag(word.substr(1));
    below = true;
  }
  if (flag == nullptr) return false;
  uint64_t& set = below ? parsed.set : parsed.top_set;
  uint64_t& clear = below ? parsed.clear : parsed.top_clear;
  set = (set & ~flag->clear) | flag->set;
  clear = (clear & ~flag->set) | flag->clear;
  return true;
}

bool AddWord(ParsedOptions& parsed, const std::string& word) {
  for (const Word& known : kWords) {
    if (known.name != word) continue;
    parsed.*known.member = true;
    if (parsed.bundle_only.empty()) parsed.bundle_only = word;
    return true;
  }
  if (word == "ridmap") {
    parsed.idmap = parsed.idmap_below = true;
  } else if (uint32_t propagation = Propagation(word); propagation != 0) {
    parsed.propagation = propagation;
    // Every mount of our own sandboxes is private.
    if ((propagation & MS_PRIVATE) != 0) return true;
  } else {
    return false;
  }
  if (parsed.bundle_only.empty()) parsed.bundle_only = word;
  return true;
}

bool IsBindWord(const std::string& word) { return word == "bind" || word == "rbind" || word == "bind-nonrecursive"; }

// The last of two opposite words wins, as in mount(8).
void TakeBack(ParsedOptions& parsed, const std::string& word) {
  constexpr std::pair<std::string_view, std::string_view> kOpposites[] = {
      {"async", "sync"}, {"nolazytime", "lazytime"}, {"nomand", "mand"}};
  for (const auto& opposites : kOpposites) {
    if (word != opposites.first) continue;
    std::erase_if(parsed.data, [&](const auto& option) { return option.first == opposites.second; });
  }
  if (word == "noiversion") parsed.legacy &= ~static_cast<uint32_t>(MS_I_VERSION);
}

}  // namespace

uint32_t Propagation(std::string_view word) {
  constexpr std::pair<std::string_view, uint32_t> kKinds[] = {
      {"private", MS_PRIVATE}, {"slave", MS_SLAVE}, {"shared", MS_SHARED}, {"unbindable", MS_UNBINDABLE}};
  for (auto [name, flag] : kKinds) {
    if (word == name) return flag;
    if (word.starts_with('r') && word.substr(1) == name) return flag | MS_REC;
  }
  return 0;
}

Result<ParsedOptions> ParseMountOptions(const oci::Mount& mount, bool whole) {
  ParsedOptions parsed;
  parsed.bind = mount.type == "bind" || std::any_of(mount.options.begin(), mount.options.end(), IsBindWord);
  for (const std::string& word : mount.options) {
    if (IsBindWord(word)) {
      parsed.recursive = word == "rbind";
      continue;
    }
    TakeBack(parsed, word);
    if (IsOneOf(kIgnored, word) || AddFlag(parsed, word, whole) || AddWord(parsed, word)) continue;
    if (parsed.bind) {
      const bool shared = word.find('=') != std::string::npos || IsOneOf(kOfFilesystem, word) || word == "iversion";
      return Error(Code::kUnsupported,
                   "mount option \"" + word + "\" " +
                       (shared ? "is one of a file system, which a bind mount shares with its source"
                               : "is not one that a bind mount can have"));
    }
    if (word == "iversion") {
      parsed.legacy |= MS_I_VERSION;
    } else if (const size_t equals = word.find('='); equals != std::string::npos) {
      parsed.data.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    } else {
      parsed.data.emplace_back(word, "");  // the file system's own, which the kernel judges
    }
  }
  return parsed;
}

}  // namespace mxc::sandbox
