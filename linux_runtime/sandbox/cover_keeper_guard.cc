#include "linux_runtime/sandbox/cover_keeper_guard.h"

#include <linux/mount.h>
#include <linux/securebits.h>
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "linux_runtime/sandbox/cover_keeper_opens.h"
#include "linux_runtime/sandbox/cover_keeper_watches.h"
#include "linux_runtime/sandbox/cover_source.h"
#include "linux_runtime/sys/inotify.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/scheduling.h"

namespace mxc::sandbox {
namespace {

enum Step : uint32_t { kOpenProc, kJoinUser, kJoinMounts, kMakeCovers, kDropPrivileges, kWatch, kCover };

// Attempts to cover one name before the container is killed: each fails only when the name was replaced meanwhile.
constexpr int kAttempts = 100;
constexpr uint64_t kSliceNs = 100000;  // the shortest that Linux takes
constexpr long kTmpfsMagic = 0x01021994;
constexpr unsigned kRecursive = 0x8000;  // AT_RECURSIVE

constexpr uint64_t kCapDacReadSearch = 1u << 2, kCapKill = 1u << 5, kCapSysPtrace = 1u << 19, kCapSysAdmin = 1u << 21;

enum class State { kMissing, kHeld, kExposed };

uint64_t NowNs(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

struct Seen {
  uint64_t device = 0, inode = 0;
};

struct Target {
  const KeptName* name = nullptr;
  SharedRecord* record = nullptr;
  uint32_t index = 0;
  std::string parent;  // path in the container
  std::string last;
  bool present = false;
  std::string folder_key;                 // what OpenHold calls the parent
  Origin next_origin = Origin::kUnknown;  // who made the name that appears next
  std::array<Seen, 16> exposed;           // the last objects found uncovered
  size_t exposed_count = 0;
};

// What was found at a name. descriptor: of the object, or of a symbolic link on the way to it.
struct Found {
  State state = State::kMissing;
  sys::UniqueFd object;
  bool directory = false, link = false, on_the_way = false;
  struct ::stat stat {};
  uint64_t parent_changed_ns = 0;  // CLOCK_REALTIME, as coarse as the kernel's tick
};

struct StatfsWithFlags {
  long type;
  bool readonly, inert;
};

std::optional<StatfsWithFlags> FileSystemOf(int fd) {
  struct statfs out {};
  if (::fstatfs(fd, &out) < 0) return std::nullopt;
  constexpr unsigned kInert = ST_NOSUID | ST_NODEV | ST_NOEXEC;
  return StatfsWithFlags{static_cast<long>(out.f_type), (out.f_flags & ST_RDONLY) != 0,
                         (static_cast<unsigned>(out.f_flags) & kInert) == kInert};
}

bool IsMountRoot(int fd) {
  struct statx out {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MODE, &out) < 0) return false;
  return (out.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

class Guard {
 public:
  Guard(const KeeperOptions& options, int socket, SharedRecord* records)
      : options_(options), socket_(socket), records_(records) {}
  [[noreturn]] void Run();

 private:
  [[noreturn]] void Fail(Step step, long error);
  void OpenGroups();
  void GetReady();
  void AwaitRoot();
  void Join();
  void MakeCovers(int mount_namespace, int unmapped);
  void CloseOthers();
  void Prepare();
  Found Look(const Target& target) const;
  void Ensure(Target& target);
  bool CoverOnce(Target& target, const Found& found);
  int AttachReadonly(int object, bool directory);
  void Appeared(Target& target);
  void Kill(Target& target);
  int Arm(size_t index);
  void Made(std::string_view folder, std::string_view name, Origin origin);
  bool Refuse(const HeldOpen& open);
  void EnsureAll() {
    for (Target& target : targets_) Ensure(target);
  }

  const KeeperOptions& options_;
  int socket_;
  SharedRecord* records_;
  sys::UniqueFd proc_, root_, mountinfo_;
  CoverSource covers_;
  std::vector<Target> targets_;
  std::optional<NameWatches> watches_;
  std::optional<OpenHold> opens_;
  bool killed_ = false;
};

void Guard::Fail(Step step, long error) {
  GuardMessage message{GuardMessageKind::kFailed, 0, static_cast<int32_t>(-error), step};
  ::send(socket_, &message, sizeof message, MSG_NOSIGNAL);
  ::_exit(1);
}

// The supervisor's other descriptors (pipes whose end of file means something, the container's standard streams) must
// not live on here.
void Guard::CloseOthers() {
  std::vector<int> keep = options_.callback_descriptors;
  keep.push_back(socket_);
  keep.push_back(options_.pidfd);
  for (int fd : {options_.kept_covers.base, options_.kept_covers.directory, options_.kept_covers.file})
    keep.push_back(fd);
  sys::CloseAllBut(0, keep);
}

// Groups count for the user that makes them. The effective id is another for that moment, with the capabilities kept.
void Guard::OpenGroups() {
  constexpr unsigned long kKeepCapabilities = SECBIT_NO_SETUID_FIXUP;
  const uid_t own = ::geteuid();
  const bool counted = options_.account && sys::Prctl(PR_SET_SECUREBITS, kKeepCapabilities) >= 0;
  if (counted && ::seteuid(*options_.account) < 0) Fail(kWatch, -errno);
  if (options_.hold_opens) opens_.emplace(proc_.get());
  int inotify = sys::InotifyInit();
  if (counted && ::seteuid(own) < 0) Fail(kWatch, -errno);
  if (counted) sys::Prctl(PR_SET_SECUREBITS, 0UL);
  if (inotify < 0) Fail(kWatch, inotify);
  watches_.emplace(sys::UniqueFd(inotify));
}

// Everything that needs neither the container's root nor its namespaces.
void Guard::GetReady() {
  CloseOthers();
  int proc = sys::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
  if (proc < 0) Fail(kOpenProc, proc);
  proc_.reset(proc);
  OpenGroups();
  // The window is the time until this process runs.
  if (sys::SetPromptness(-20, kSliceNs) < 0) sys::SetPromptness(::getpriority(PRIO_PROCESS, 0), kSliceNs);
  if (options_.cover_owner) {
    sys::UniqueFd unmapped(options_.unmapped_covers ? MakeUnmappedNamespace() : -1);
    int error = MakeCoverBase(&covers_, unmapped.valid() ? 0 : *options_.cover_owner, unmapped.get());
    if (error == -EINVAL && unmapped.valid()) error = MakeCoverBase(&covers_, *options_.cover_owner, -1);
    if (error < 0) Fail(kMakeCovers, error);
  }
}

void Guard::AwaitRoot() {
  char go = 0;
  long size;
  while ((size = sys::Check(::recv(socket_, &go, 1, 0))) == -EINTR) {
  }
  if (size != 1) ::_exit(0);  // the container failed to start, or the supervisor is gone
}

void Guard::Join() {
  const int proc = proc_.get();
  const std::string task = std::to_string(options_.pid);
  sys::UniqueFd user(sys::OpenAt(proc, (task + "/ns/user").c_str(), O_RDONLY));
  sys::UniqueFd mounts(sys::OpenAt(proc, (task + "/ns/mnt").c_str(), O_RDONLY));
  if (mounts.get() < 0) Fail(kOpenProc, mounts.get());
  if (user.get() < 0) Fail(kOpenProc, user.get());
  // Not what is at / of its mounts: the old root may still lie on top, while the container takes it off.
  root_.reset(sys::OpenAt(proc, (task + "/root").c_str(), O_PATH | O_DIRECTORY));
  if (root_.get() < 0) Fail(kOpenProc, root_.get());
  // A container without a user namespace of its own: joining one's own is refused (EINVAL), and not needed.
  if (int error = sys::SetNs(user.get(), CLONE_NEWUSER); error < 0 && error != -EINVAL) Fail(kJoinUser, error);
  int unmapped = -1;
  if (!options_.cover_owner) {
    // While the host's /proc is still there. Joining made this process non-dumpable, which would shut its own uid_map.
    sys::Prctl(PR_SET_DUMPABLE, 1);
    unmapped = MakeUnmappedNamespace();
    sys::Prctl(PR_SET_DUMPABLE, 0);
  }
  if (int error = sys::SetNs(mounts.get(), CLONE_NEWNS); error < 0) Fail(kJoinMounts, error);
  MakeCovers(mounts.get(), unmapped);
  // Nothing of the old root stays in use here.
  if (int error = sys::Fchdir(root_.get()); error < 0) Fail(kJoinMounts, error);
  if (int error = static_cast<int>(sys::Check(::chroot("."))); error < 0) Fail(kJoinMounts, error);
  int mountinfo = sys::OpenAt(proc, "self/mountinfo", O_RDONLY);
  if (mountinfo < 0) Fail(kJoinMounts, mountinfo);
  mountinfo_.reset(mountinfo);

  sys::CapabilitySets sets;
  sets.effective = kCapDacReadSearch | kCapKill | kCapSysAdmin | (opens_ && opens_->holds() ? kCapSysPtrace : 0);
  sets.permitted = sets.effective;
  if (int error = sys::CapSet(sets); error < 0) Fail(kDropPrivileges, error);
  sys::Prctl(PR_SET_NO_NEW_PRIVS, 1);
  sys::Prctl(PR_SET_DUMPABLE, 0);
}

void Guard::MakeCovers(int mount_namespace, int unmapped) {
  if (!options_.cover_owner) {
    int error = unmapped < 0 ? unmapped : MakeCoverBase(&covers_, 0, unmapped);
    if (error == -EINVAL) {  // no idmapped tmpfs: as weak as the first covers
      covers_.weak = true;
      error = MakeCoverBase(&covers_, 0, -1);
    }
    if (unmapped >= 0) sys::Close(unmapped);
    if (error < 0) Fail(kMakeCovers, error);
  }
  int error = SplitCovers(&covers_, nullptr);
  if (error == -EINVAL) {
    // Before Linux 6.15: in a copy of the mount namespace, which goes when this process leaves it again.
    error = sys::Unshare(CLONE_NEWNS);
    if (error >= 0) error = SplitCovers(&covers_, "/");
    if (error >= 0) error = sys::SetNs(mount_namespace, CLONE_NEWNS);
  }
  if (error < 0) Fail(kMakeCovers, error);
}

int Guard::Arm(size_t index) {
  Target& target = targets_[index];
  return watches_->Arm(index, root_.get(), [&](int parent) {
    if (opens_) target.folder_key = opens_->Mark(parent, target.name->protect);
  });
}

void Guard::Prepare() {
  for (size_t i = 0; i < options_.names.size(); ++i) {
    Target target;
    target.name = &options_.names[i];
    target.record = &records_[i];
    target.index = static_cast<uint32_t>(i);
    target.present = target.name->existed;
    std::vector<std::string> parts;
    const std::string& path = target.name->path;
    for (size_t at = 1; at < path.size();) {
      size_t end = std::min(path.find('/', at), path.size());
      if (end > at) parts.push_back(path.substr(at, end - at));
      at = end + 1;
    }
    if (parts.empty()) Fail(kCover, -EINVAL);
    target.last = parts.back();
    target.parent = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
    watches_->Add(std::move(parts));
    targets_.push_back(std::move(target));
  }
  // Names often share their folder: one pair of marks each.
  std::map<std::pair<int, bool>, std::string> marked;
  int error = watches_->ArmAll(root_.get(), [&](size_t index, int parent) {
    if (!opens_) return;
    Target& target = targets_[index];
    auto [at, fresh] = marked.try_emplace({parent, target.name->protect});
    if (fresh) at->second = opens_->Mark(parent, target.name->protect);
    target.folder_key = at->second;
  });
  if (error < 0) Fail(kWatch, error);
  EnsureAll();
}

Found Guard::Look(const Target& target) const {
  Found found;
  constexpr uint64_t kResolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT;
  sys::UniqueFd parent(sys::OpenAt2(root_.get(), target.parent.c_str(), O_PATH | O_DIRECTORY, 0, kResolve));
  if (parent.get() == -EACCES) {  // below another cover: out of reach for everybody inside
    found.state = State::kHeld;
    return found;
  }
  std::string last = target.last;
  if (parent.get() == -ELOOP) {
    // A symbolic link on the way: find the first.
    sys::UniqueFd folder(sys::OpenAt(root_.get(), ".", O_PATH | O_DIRECTORY));
    for (size_t at = 1; at < target.parent.size();) {
      size_t end = std::min(target.parent.find('/', at), target.parent.size());
      last = target.parent.substr(at, end - at);
      at = end + 1;
      int next = sys::OpenAt2(folder.get(), last.c_str(), O_PATH | O_DIRECTORY, 0, kResolve);
      if (next == -ELOOP) break;
      if (next < 0) return found;
      folder.reset(next);
    }
    parent = std::move(folder);
    found.on_the_way = true;
  }
  if (!parent.valid()) return found;
  sys::UniqueFd object(
      sys::OpenAt2(parent.get(), last.c_str(), O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH));
  struct ::stat stat {
  }, parent_stat{};
  if (object.get() < 0 || sys::Fstat(object.get(), &stat) < 0) return found;
  if (found.on_the_way && !S_ISLNK(stat.st_mode)) return found;  // replaced meanwhile; looked at again
  sys::Fstat(parent.get(), &parent_stat);
  found.parent_changed_ns = static_cast<uint64_t>(parent_stat.st_mtim.tv_sec) * 1000000000u +
                            static_cast<uint64_t>(parent_stat.st_mtim.tv_nsec);
  found.stat = stat;
  found.directory = S_ISDIR(stat.st_mode);
  found.link = S_ISLNK(stat.st_mode);
  found.state = State::kExposed;
  if (IsMountRoot(object.get())) {
    std::optional<StatfsWithFlags> system = FileSystemOf(object.get());
    const bool cover = system && system->inert && system->type == kTmpfsMagic && (stat.st_mode & 07777) == 0;
    if (cover || (target.name->protect && system && system->readonly)) found.state = State::kHeld;
  }
  found.object = std::move(object);
  return found;
}

// A read-only view of the object over itself.
int Guard::AttachReadonly(int object, bool directory) {
  sys::UniqueFd view(sys::OpenTree(object, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | (directory ? kRecursive : 0u)));
  if (view.get() < 0) return view.get();
  sys::MountAttr attr;
  attr.set = MOUNT_ATTR_RDONLY;
  int error = sys::MountSetattr(view.get(), "", AT_EMPTY_PATH | (directory ? kRecursive : 0u), attr);
  if (error < 0) return error;
  return sys::MoveMount(view.get(), "", object, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

bool Guard::CoverOnce(Target& target, const Found& found) {
  if (target.name->protect && !found.link && AttachReadonly(found.object.get(), found.directory) >= 0) return true;
  return AttachCover(&covers_, found.object.get(), found.directory) >= 0;
}

void Guard::Made(std::string_view folder, std::string_view name, Origin origin) {
  for (Target& target : targets_) {
    if (target.last != name || target.folder_key != folder) continue;
    if (!target.present) {
      target.next_origin = origin;
    } else if (target.record->appeared == 1 && target.record->origin == Origin::kUnknown) {
      // It was covered before the word about its maker came.
      target.next_origin = origin;
      Appeared(target);
    }
  }
}

void Guard::Appeared(Target& target) {
  const Origin origin = std::exchange(target.next_origin, Origin::kUnknown);
  target.record->origin = origin;
  target.record->appeared = 1;
  if (origin != Origin::kInside) return;
  GuardMessage message{GuardMessageKind::kMadeInside, target.index, 0, 0};
  ::send(socket_, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Guard::Kill(Target& target) {
  target.record->killed = 1;
  if (killed_) return;
  killed_ = true;
  if (options_.kill) {
    options_.kill();
  } else {
    sys::PidfdSendSignal(options_.pidfd, SIGKILL);
  }
}

void Guard::Ensure(Target& target) {
  const uint64_t start = NowNs(CLOCK_MONOTONIC);
  uint64_t changed = 0;
  bool was_exposed = false, appeared = false, frozen = false;
  for (int attempt = 0;; ++attempt) {
    Found found = Look(target);
    if (found.state == State::kMissing) {
      target.present = false;
      break;
    }
    if (found.state == State::kHeld) {
      target.present = true;
      break;
    }
    if (!was_exposed) changed = found.parent_changed_ns;
    was_exposed = true;
    target.exposed[target.exposed_count++ % target.exposed.size()] = {found.stat.st_dev, found.stat.st_ino};
    if (!target.present) appeared = true;
    target.present = true;
    if (options_.kill_on_exposed && !target.name->protect && !killed_) {
      Kill(target);
    } else if (attempt == kAttempts) {
      Kill(target);
      break;
    }
    // Before the first attempt: a rename drops the mount before it changes the name, waits for an RCU grace period in
    // between (milliseconds on a busy machine), and holds the lock that covering the old object needs.
    if (attempt == 0 && options_.freeze) frozen = options_.freeze(true);
    // A failure means that the object went again, or changed its kind: look again.
    CoverOnce(target, found);
  }
  if (frozen) options_.freeze(false);
  if (appeared) Appeared(target);
  if (!was_exposed) return;
  // The time of the folder's change is up to a tick early, so the sum is an upper bound; a time far away (a clock set, a
  // file system without times) says nothing.
  uint64_t window = NowNs(CLOCK_MONOTONIC) - start;
  const uint64_t now = NowNs(CLOCK_REALTIME);
  if (changed != 0 && now > changed && now - changed < 1000000000u) window = std::max(window, now - changed);
  target.record->covered.fetch_add(1);
  const uint32_t us = static_cast<uint32_t>(window / 1000);
  if (us > target.record->longest_window_us) target.record->longest_window_us = us;
}

bool Guard::Refuse(const HeldOpen& open) {
  const std::string_view path = open.path;
  const std::string_view last = path.substr(path.rfind('/') + 1);
  bool refuse = false;
  for (Target& target : targets_) {
    if (target.name->protect || target.last != last) continue;
    Ensure(target);  // while the opener waits
    bool exposed = path == target.name->path;
    // Through other mounts of the container's (a sandbox within it) the path reads differently.
    for (const Seen& seen : target.exposed) exposed |= seen.inode == open.inode && seen.device == open.device;
    if (!exposed) continue;
    target.record->refused_opens.fetch_add(1);
    refuse = true;
  }
  return refuse;
}

void Guard::Run() {
  GetReady();
  AwaitRoot();
  Join();
  Prepare();
  GuardMessage ready{GuardMessageKind::kReady, 0, 0, opens_ && opens_->complete() ? 1u : 0u};
  ::send(socket_, &ready, sizeof ready, MSG_NOSIGNAL);
  // Once the program runs, failing to watch must not end the guard: it kills the container.
  enum { kSocket, kInotify, kMounts, kOpens, kOrigins };
  pollfd fds[] = {
      {socket_, POLLIN, 0},
      {watches_->descriptor(), POLLIN, 0},
      {mountinfo_.get(), POLLPRI, 0},
      {opens_ ? opens_->opens() : -1, POLLIN, 0},
      {opens_ ? opens_->origins() : -1, POLLIN, 0},
  };
  for (;;) {
    if (::poll(fds, std::size(fds), -1) < 0) continue;
    if (fds[kSocket].revents != 0) {
      // The container has ended. Or the parent has, which nobody tells apart here: then nobody else ends it.
      sys::PidfdSendSignal(options_.pidfd, SIGKILL);
      // The records are final. Said before exit, which is slow: see CoverKeeper::Finish.
      GuardMessage done{GuardMessageKind::kDone, 0, 0, 0};
      ::send(socket_, &done, sizeof done, MSG_NOSIGNAL);
      // Not at once: the supervisor would wait for this processor. When it closes its end, nobody waits any more.
      pollfd closed{socket_, 0, 0};
      while (::poll(&closed, 1, -1) < 0 && errno == EINTR) {
      }
      ::_exit(0);
    }
    if (fds[kOrigins].revents != 0) {
      opens_->ReadOrigins(
          [&](std::string_view folder, std::string_view name, Origin origin) { Made(folder, name, origin); });
    }
    if (fds[kInotify].revents != 0) {
      watches_->Read([&](size_t index, bool way) {
        Ensure(targets_[index]);
        if (!way) return;
        // The user's watches are used up, perhaps by the container itself: what comes now would go unseen.
        if (Arm(index) < 0) Kill(targets_[index]);
        Ensure(targets_[index]);
      });
    }
    if (fds[kOpens].revents != 0) opens_->ReadOpens([&](const HeldOpen& open) { return Refuse(open); });
    if (fds[kMounts].revents != 0) EnsureAll();
  }
}

}  // namespace

void RunGuard(const KeeperOptions& options, int socket, SharedRecord* records) {
  Guard(options, socket, records).Run();
}

}  // namespace mxc::sandbox
