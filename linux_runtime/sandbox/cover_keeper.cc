#include "linux_runtime/sandbox/cover_keeper.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "linux_runtime/sandbox/cover_keeper_guard.h"
#include "linux_runtime/sandbox/cover_keeper_moved.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

// Longer than any start under load; a guard that hangs must not hang the caller.
constexpr int kReadyTimeoutMs = 10000;

constexpr size_t kMaxNamePart = 100;

std::string LastOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

sys::UniqueFd OpenKnown(const std::string& path) {
  return sys::UniqueFd(
      sys::OpenAt2(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
}

// Most names share the folder that was known when the run began, and most have nothing in it.
class KnownFolder {
 public:
  // Whether the first part of the name below what was known isn't there.
  bool Lacks(const KeptName& name) {
    const size_t known = std::min(name.host_known, name.host_parent.size());
    if (!folder_.valid() || path_ != std::string_view(name.host_parent).substr(0, known)) {
      path_ = name.host_parent.substr(0, known);
      folder_ = OpenKnown(path_);
    }
    const std::string rest = name.host_parent.substr(known) + "/" + LastOf(name.path);
    const size_t start = rest.find_first_not_of('/');
    const std::string first = rest.substr(start, rest.find('/', start) - start);
    struct stat stat {};
    return folder_.valid() && ::fstatat(folder_.get(), first.c_str(), &stat, AT_SYMLINK_NOFOLLOW) < 0 &&
           errno == ENOENT;
  }

 private:
  std::string path_;
  sys::UniqueFd folder_;
};

// What was made at a kept name, or in the place of a folder on the way to it. No folder: nothing.
struct MadeObject {
  sys::UniqueFd folder;
  std::string name;
};

// A link, a file (a .git that names another folder) or a folder that nobody may enter, where a folder of the way was
// missing, leads to the name or keeps it out of sight: that is what has to go.
MadeObject FindMade(const KeptName& name) {
  MadeObject made;
  const size_t known = std::min(name.host_known, name.host_parent.size());
  made.folder = OpenKnown(name.host_parent.substr(0, known));
  if (!made.folder.valid()) return {};
  std::string rest = name.host_parent.substr(known) + "/" + LastOf(name.path);
  sys::UniqueFd above;  // the folder that holds made.folder, once that is one made since
  std::string own;
  for (size_t at = 0; at < rest.size();) {
    const size_t end = std::min(rest.find('/', at), rest.size());
    if (end > at) {
      made.name = rest.substr(at, end - at);
      struct stat stat {};
      if (::fstatat(made.folder.get(), made.name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != EACCES || !above.valid()) return {};
        return {std::move(above), std::move(own)};
      }
      if (end == rest.size() || !S_ISDIR(stat.st_mode)) return made;
      int next = sys::OpenAt2(made.folder.get(), made.name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
                              RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH);
      if (next < 0) return {};
      above = std::move(made.folder);
      own = made.name;
      made.folder.reset(next);
    }
    at = end + 1;
  }
  return {};
}

}  // namespace

CoverKeeper::CoverKeeper(CoverKeeper&& other) noexcept
    : options_(std::move(other.options_)),
      guard_(std::exchange(other.guard_, -1)),
      socket_(std::move(other.socket_)),
      records_(std::exchange(other.records_, nullptr)),
      holds_opens_(other.holds_opens_),
      guard_died_(other.guard_died_),
      done_(other.done_),
      events_(std::move(other.events_)),
      move_budget_(other.move_budget_),
      late_copies_(std::move(other.late_copies_)) {}

CoverKeeper::~CoverKeeper() {
  socket_.reset();
  if (guard_ > 0) {
    int status;
    while (::waitpid(guard_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (records_ != nullptr) ::munmap(records_, sizeof(SharedRecord) * options_.names.size());
}

Result<CoverKeeper> CoverKeeper::Start(KeeperOptions options) {
  CoverKeeper keeper;
  keeper.options_ = std::move(options);
  const size_t count = keeper.options_.names.size();
  if (count == 0) return keeper;
  void* shared =
      ::mmap(nullptr, sizeof(SharedRecord) * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return sys::SystemError("share memory with the guard of denied paths", errno);
  keeper.records_ = new (shared) SharedRecord[count]();
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    return sys::SystemError("make a socket pair for the guard of denied paths", errno);
  }
  keeper.socket_.reset(ends[0]);
  sys::UniqueFd guard_end(ends[1]);
  // fork, not clone: the guard allocates, and no other thread can hold the allocator's lock.
  pid_t pid = ::fork();
  if (pid < 0) return sys::SystemError("start the guard of denied paths", errno);
  if (pid == 0) RunGuard(keeper.options_, guard_end.get(), keeper.records_);
  keeper.guard_ = pid;
  return keeper;
}

Result<void> CoverKeeper::Join() {
  if (records_ == nullptr) return {};
  char go = 1;
  ::send(socket_.get(), &go, 1, MSG_NOSIGNAL);
  pollfd wait{socket_.get(), POLLIN, 0};
  int ready;
  while ((ready = ::poll(&wait, 1, kReadyTimeoutMs)) < 0 && errno == EINTR) {
  }
  GuardMessage message{};
  long size = ready > 0 ? sys::Check(::recv(socket_.get(), &message, sizeof message, 0)) : 0;
  while (size == sizeof message && message.kind == GuardMessageKind::kMadeInside) {
    size = ::recv(socket_.get(), &message, sizeof message, 0);
  }
  if (ready == 0) {
    ::kill(guard_, SIGKILL);
    return Error(Code::kSystem, "start the guard of denied paths: it was not ready after 10 s");
  }
  if (size != sizeof message) return Error(Code::kSystem, "start the guard of denied paths: it ended");
  if (message.kind == GuardMessageKind::kFailed) {
    const char* step = message.step < std::size(kGuardSteps) ? kGuardSteps[message.step] : "start";
    Error error = sys::SystemError(std::string("start the guard of denied paths: ") + step, message.error);
    if (message.error != EMFILE) return error;
    return std::move(error).WithHint(
        "each sandbox of a user takes one of fs.inotify.max_user_instances: raise it, or run fewer at a time");
  }
  holds_opens_ = message.step != 0;
  return {};
}

void CoverKeeper::Kill() {
  if (options_.kill) {
    options_.kill();
  } else {
    sys::PidfdSendSignal(options_.pidfd, SIGKILL);
  }
}

bool CoverKeeper::OnReady() {
  for (;;) {
    GuardMessage message{};
    ssize_t size = ::recv(socket_.get(), &message, sizeof message, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return true;
    if (size == 0) {
      if (!guard_died_) Kill();
      guard_died_ = true;
      return false;
    }
    if (message.kind == GuardMessageKind::kDone) {
      done_ = true;  // dismissed; its end of the socket closes next
      return true;
    }
    if (message.kind == GuardMessageKind::kMadeInside && message.index < options_.names.size()) MoveAway(message.index);
  }
}

void CoverKeeper::MoveAway(size_t index) {
  const KeptName& name = options_.names[index];
  MadeObject made = FindMade(name);
  if (!made.folder.valid()) return;       // gone again
  if (move_budget_.objects <= 0) Kill();  // it makes such names without end
  KeeperEvent event;
  event.path = name.path;
  event.rule = name.rule;
  event.how = KeeperHow::kLeft;
  if (!options_.state_folder) {
    event.detail = "no state folder";
  } else if (Result<int> folder = options_.state_folder(); !folder.ok()) {
    event.detail = folder.error().Describe();
  } else {
    // A name may be as long as the file system takes; this one has to hold more.
    const std::string as =
        std::to_string(index) + "." + std::to_string(events_.size()) + "." + made.name.substr(0, kMaxNamePart);
    const size_t before = late_copies_.size();
    if (Result<void> moved = MoveIntoState(made.folder.get(), made.name, *folder, as, move_budget_, late_copies_);
        moved.ok()) {
      event.how = KeeperHow::kMoved;
      event.detail = as;
    } else {
      event.detail = moved.error().Describe();
    }
    for (size_t i = before; i < late_copies_.size(); ++i) late_copies_[i].path = event.path;
  }
  events_.push_back(std::move(event));
}

void CoverKeeper::Dismiss() {
  if (socket_.valid()) ::shutdown(socket_.get(), SHUT_WR);
}

// Until the guard's records are final. Not until it has ended: closing inotify and fanotify groups waits for SRCU grace
// periods, 8 to 25 ms each, which its exit may spend alone. It ends when our end of the socket closes, and is reaped by
// whoever adopts it, or by the destructor.
void CoverKeeper::AwaitDone() {
  Dismiss();
  GuardMessage message{};
  while (!done_) {
    ssize_t size = ::recv(socket_.get(), &message, sizeof message, 0);
    if (size < 0 && errno == EINTR) continue;
    done_ = size <= 0 || message.kind == GuardMessageKind::kDone;
  }
}

std::vector<KeeperEvent> CoverKeeper::Finish() {
  if (records_ == nullptr) return {};
  OnReady();
  if (guard_died_) events_.push_back({KeeperHow::kGuardDied, "", "", 1, 0, 0, ""});
  AwaitDone();
  KnownFolder known;
  for (size_t i = 0; i < options_.names.size(); ++i) {
    const KeptName& name = options_.names[i];
    const SharedRecord& record = records_[i];
    if (record.covered != 0) {
      events_.push_back({KeeperHow::kCovered, name.path, name.rule, record.covered, record.longest_window_us,
                         record.refused_opens, ""});
    }
    if (record.killed != 0) events_.push_back({KeeperHow::kKilled, name.path, name.rule, 1, 0, 0, ""});
    const Origin origin = record.origin;
    // A name that existed before belongs to those outside, unless fanotify says otherwise.
    const bool ours = origin == Origin::kInside || (origin == Origin::kUnknown && !name.existed);
    if (ours && !known.Lacks(name)) MoveAway(i);
  }
  for (const LateCopy& late : late_copies_) {
    Result<void> copied = FinishCopy(late, move_budget_);
    if (!copied.ok()) events_.push_back({KeeperHow::kLeft, late.path, "", 1, 0, 0, copied.error().Describe()});
  }
  return std::move(events_);
}

}  // namespace mxc::sandbox
