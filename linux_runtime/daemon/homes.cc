#include "linux_runtime/daemon/homes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "linux_runtime/host/texts.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::daemon {
namespace {

constexpr int kMostDepth = 64;

using Stream = std::unique_ptr<DIR, int (*)(DIR*)>;

Stream List(int folder) {
  const int fd = sys::OpenAt(folder, ".", O_RDONLY | O_DIRECTORY);
  return {fd < 0 ? nullptr : ::fdopendir(fd), [](DIR* open) { return open != nullptr ? ::closedir(open) : 0; }};
}

bool IsDots(std::string_view name) { return name == "." || name == ".."; }

// The field of that number in a line with colons, as a number.
bool Number(std::string_view line, int field, uint64_t& number) {
  for (; field > 0; --field) {
    const size_t colon = line.find(':');
    if (colon == line.npos) return false;
    line.remove_prefix(colon + 1);
  }
  line = line.substr(0, line.find(':'));
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  return error == std::errc() && end == line.data() + line.size();
}

template <class F>
bool AnyLine(std::string_view text, F meets) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (meets(text.substr(0, end))) return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

bool IsFree(uint32_t first) {
  const auto read = [](const char* path) { return host::ReadText(path).value_or(""); };
  return !MeetsSubordinateIds(read("/etc/subuid"), first, kIdsPerSession) &&
         !MeetsSubordinateIds(read("/etc/subgid"), first, kIdsPerSession) &&
         !MeetsAccounts(read("/etc/passwd"), first, kIdsPerSession) &&
         !MeetsAccounts(read("/etc/group"), first, kIdsPerSession);
}

sys::UniqueFd OpenBelow(int folder, const char* name) {
  return sys::UniqueFd(sys::OpenAt2(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
                                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV));
}

// Whether anything was removed. What lies deeper than descriptors reach is moved up to the top, and so comes in a later turn.
bool EmptyBelow(int top, int folder, int depth, uint64_t& moved) {
  bool progress = false;
  const Stream stream = List(folder);
  if (!stream) return false;
  while (const dirent* entry = ::readdir(stream.get())) {
    const char* name = entry->d_name;
    if (IsDots(name)) continue;
    if (::unlinkat(folder, name, 0) == 0) {
      progress = true;
      continue;
    }
    if (errno != EISDIR && errno != EPERM) continue;
    if (depth == kMostDepth) {
      const std::string up = ".removed-" + std::to_string(++moved);
      progress = ::renameat(folder, name, top, up.c_str()) == 0 || progress;
      continue;
    }
    sys::UniqueFd below = OpenBelow(folder, name);
    if (below.get() == -EACCES && ::fchmodat(folder, name, 0700, 0) == 0) below = OpenBelow(folder, name);
    if (below.valid()) {
      (void)::fchmod(below.get(), 0700);
      progress = EmptyBelow(top, below.get(), depth + 1, moved) || progress;
    }
    progress = ::unlinkat(folder, name, AT_REMOVEDIR) == 0 || progress;
  }
  return progress;
}

}  // namespace

bool MeetsSubordinateIds(std::string_view subuid, uint32_t first, uint32_t count) {
  return AnyLine(subuid, [&](std::string_view line) {
    uint64_t start = 0, size = 0;
    return Number(line, 1, start) && Number(line, 2, size) && start < uint64_t{first} + count && first < start + size;
  });
}

bool MeetsAccounts(std::string_view passwd, uint32_t first, uint32_t count) {
  return AnyLine(passwd, [&](std::string_view line) {
    uint64_t id = 0;
    return Number(line, 2, id) && id >= first && id < uint64_t{first} + count;
  });
}

Result<Homes> Homes::Open(const std::string& folder) {
  Homes homes;
  homes.folder_ = folder;
  if (int error = sys::Mkdir(AT_FDCWD, folder.c_str(), 0711); error < 0 && error != -EEXIST) {
    return sys::SystemError("make the folder " + folder, -error);
  }
  homes.fd_.reset(sys::OpenAt(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!homes.fd_.valid()) return sys::SystemError("open the folder " + folder, -homes.fd_.get());
  struct stat found;
  if (int error = sys::Fstat(homes.fd_.get(), &found); error < 0) return sys::SystemError("look at " + folder, -error);
  if (found.st_uid != ::geteuid() || (found.st_mode & 0022) != 0) {
    return Error(Code::kRefused, "the folder " + folder + " belongs to somebody else, or others may write there")
        .WithHint("remove it, or give mxcd another one with --homes");
  }
  if ((found.st_mode & 07777) != 0711) (void)sys::Chmod(homes.fd_.get(), 0711);
  return homes;
}

Result<uint32_t> Homes::Make(const std::string& id) {
  std::vector<uint32_t> taken;
  for (const Home& home : All()) taken.push_back(home.first_id);
  const sys::UniqueFd file(sys::OpenAt(fd_.get(), "next", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!file.valid()) return sys::SystemError("open " + folder_ + "/next", -file.get());
  char text[16] = {};
  if (::pread(file.get(), text, sizeof text - 1, 0) < 0) return sys::SystemError("read " + folder_ + "/next", errno);
  const auto start = static_cast<uint32_t>(::strtoul(text, nullptr, 10) % kSessionRanges);
  for (uint32_t tried = 0; tried < kSessionRanges; ++tried) {
    const uint32_t range = (start + tried) % kSessionRanges;
    const uint32_t first = kFirstSessionId + range * kIdsPerSession;
    if (std::find(taken.begin(), taken.end(), first) != taken.end() || !IsFree(first)) continue;
    const int size = ::snprintf(text, sizeof text, "%-10u\n", (range + 1) % kSessionRanges);
    if (::pwrite(file.get(), text, static_cast<size_t>(size), 0) != size) {
      return sys::SystemError("write " + folder_ + "/next", errno);
    }
    // It is the session's last, when all is there: until then it is root's, and a range of nobody.
    if (int error = sys::Mkdir(fd_.get(), id.c_str(), 0700); error < 0) {
      return sys::SystemError("make the folder " + PathOf(id), -error);
    }
    const sys::UniqueFd top = MXC_TRY(OpenFolder(id));
    for (const char* name : {"home", "run", "cache"}) {
      if (sys::Mkdir(top.get(), name, 0700) < 0 ||
          ::fchownat(top.get(), name, first, first, AT_SYMLINK_NOFOLLOW) != 0) {
        return sys::SystemError("make the folder " + PathOf(id) + "/" + name, errno);
      }
    }
    if (::fchown(top.get(), first, first) != 0) return sys::SystemError("give away " + PathOf(id), errno);
    return first;
  }
  return Error(Code::kRefused, "all " + std::to_string(kSessionRanges) + " ranges of ids for sessions are taken")
      .WithHint("end one of them (`mxc list`, `mxc deprovision`)");
}

Result<sys::UniqueFd> Homes::OpenFolder(const std::string& id) const {
  sys::UniqueFd folder(sys::OpenAt(fd_.get(), id.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!folder.valid()) return sys::SystemError("open " + PathOf(id), -folder.get());
  return folder;
}

bool Homes::Remove(const std::string& id) const {
  // One that was never given away still has its parts.
  if (const sys::UniqueFd top(sys::OpenAt(fd_.get(), id.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)); top.valid()) {
    for (const char* name : {"home", "run", "cache"}) ::unlinkat(top.get(), name, AT_REMOVEDIR);
  }
  return ::unlinkat(fd_.get(), id.c_str(), AT_REMOVEDIR) == 0;
}

std::vector<Homes::Home> Homes::All() const {
  std::vector<Home> homes;
  const Stream stream = List(fd_.get());
  while (const dirent* entry = stream ? ::readdir(stream.get()) : nullptr) {
    struct stat found;
    if (IsDots(entry->d_name) || ::fstatat(fd_.get(), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(found.st_mode)) homes.push_back({entry->d_name, found.st_uid});
  }
  return homes;
}

void EmptyFolder(int folder) {
  if (!IsSessionId(::getuid())) return;  // of nobody else's processes and files
  ::kill(-1, SIGKILL);
  uint64_t moved = 0;
  while (EmptyBelow(folder, folder, 0, moved)) {
  }
}

}  // namespace mxc::daemon
