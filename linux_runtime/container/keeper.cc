#include "linux_runtime/container/keeper.h"

#include <sys/file.h>

#include <array>
#include <optional>

#include "linux_runtime/run/run_name.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"

namespace mxc::container {
namespace {

// In the container's folder: the report. The keeper holds a lock of it (flock(2)) as long as it lives.
constexpr char kReport[] = "keeper";
constexpr size_t kMaxMessage = 4096;
constexpr int kPatienceMs = 10'000, kLookAgainMs = 5;

// ---- the keeper's own process ----

std::string Sentence(const sandbox::KeeperEvent& event, const std::string& moved_to) {
  using sandbox::KeeperHow;
  const std::string path = event.path + (event.rule.empty() ? "" : " (" + event.rule + ")");
  switch (event.how) {
    case KeeperHow::kCovered:
      return path + ": replaced from outside and covered again, " + std::to_string(event.count) +
             " times; exposed for " + std::to_string(event.longest_window_us) +
             " us at most, opens refused meanwhile: " + std::to_string(event.refused_opens);
    case KeeperHow::kKilled:
      return path + ": exposed; the container was killed";
    case KeeperHow::kMoved:
      return path + ": made inside; it lies in " + moved_to + "/" + event.detail + " now";
    case KeeperHow::kLeft:
      return path + ": made inside, and could not be moved away: " + event.detail;
    case KeeperHow::kGuardDied:
      return "the process that keeps denied paths covered ended early; the container was killed";
  }
  return "";
}

class KeeperProcess {
 public:
  KeeperProcess(sandbox::KeeperOptions options, int socket, int report, bool privileged, std::string runtime_directory)
      : options_(std::move(options)),
        socket_(socket),
        report_(report),
        privileged_(privileged),
        runtime_directory_(std::move(runtime_directory)) {}

  [[noreturn]] void Run();

 private:
  void Settle();
  bool AwaitWord();
  void Answer(const Result<void>& result);
  Result<int> MovedTo();
  void Report(const std::vector<sandbox::KeeperEvent>& events);

  sandbox::KeeperOptions options_;
  int socket_, report_;
  bool privileged_;
  std::string runtime_directory_;
  std::optional<run::StateFolder> state_;
  std::optional<run::MovedFolder> moved_;
};

// Nothing of the caller's stays open: pipes whose end means something, the container's own streams.
void KeeperProcess::Settle() {
  ::setsid();
  sys::Prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("mxc-keeper"));
  sys::Prctl(PR_SET_DUMPABLE, 0);
  (void)sys::Chdir("/");
  std::array kept = {socket_,
                     report_,
                     options_.pidfd,
                     options_.kept_covers.base,
                     options_.kept_covers.directory,
                     options_.kept_covers.file};
  sys::CloseAllBut(0, kept);
}

bool KeeperProcess::AwaitWord() {
  char word;
  long size;
  while ((size = sys::Check(::recv(socket_, &word, 1, 0))) == -EINTR) {
  }
  return size == 1;
}

void KeeperProcess::Answer(const Result<void>& result) {
  std::string text;
  if (!result.ok()) {
    text = result.error().Describe();
    if (!result.error().hint().empty()) text += "\n" + result.error().hint();
  }
  text.resize(std::min(text.size(), kMaxMessage - 1));
  ::send(socket_, text.c_str(), text.size() + 1, MSG_NOSIGNAL);
}

Result<int> KeeperProcess::MovedTo() {
  if (!moved_) {
    state_.emplace(MXC_TRY(run::OpenStateFolder(privileged_, runtime_directory_)));
    moved_.emplace(MXC_TRY(run::MovedFolder::Make(*state_, run::NewRunName())));
  }
  return moved_->fd();
}

void KeeperProcess::Report(const std::vector<sandbox::KeeperEvent>& events) {
  std::string text;
  for (const sandbox::KeeperEvent& event : events)
    text += EscapeText(Sentence(event, moved_ ? moved_->path() : "")) + "\n";
  sys::Write(report_, text.data(), text.size());
}

void KeeperProcess::Run() {
  Settle();
  const int container = options_.pidfd;
  options_.state_folder = [this] { return MovedTo(); };
  Result<sandbox::CoverKeeper> keeper = sandbox::CoverKeeper::Start(std::move(options_));
  bool stays = keeper.ok() && AwaitWord();
  if (stays) {
    Result<void> joined = keeper->Join();
    Answer(joined);
    // Until the container's state is written down, its end is the caller's.
    stays = joined.ok() && AwaitWord();
  } else if (!keeper.ok()) {
    Answer(keeper.error());
  }
  if (!stays) {
    sys::PidfdSendSignal(container, SIGKILL);
    ::_exit(1);
  }
  sys::Close(socket_);
  pollfd fds[] = {{container, POLLIN, 0}, {keeper->descriptor(), POLLIN, 0}};
  while ((fds[0].revents & POLLIN) == 0) {
    if (::poll(fds, std::size(fds), -1) < 0) continue;
    if (fds[1].revents != 0 && !keeper->OnReady()) fds[1].fd = -1;  // the guard is gone, and the container with it
  }
  Report(keeper->Finish());
  moved_.reset();
  ::_exit(0);
}

}  // namespace

Result<Keeper> Keeper::Start(sandbox::KeeperOptions options, const Entry& entry, bool privileged,
                             std::string runtime_directory) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_APPEND;
  sys::UniqueFd report(sys::OpenAt(entry.folder(), kReport, kFlags, 0600));
  if (!report.valid()) return sys::SystemError("make " + entry.path() + "/" + kReport, -report.get());
  if (::flock(report.get(), LOCK_EX | LOCK_NB) != 0)
    return sys::SystemError("lock " + entry.path() + "/" + kReport, errno);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return sys::SystemError("make a socket pair for the keeper of denied paths", errno);
  }
  sys::UniqueFd own(ends[0]), other(ends[1]);
  // fork, not clone: it allocates, and no other thread can hold the allocator's lock.
  const pid_t pid = ::fork();
  if (pid < 0) return sys::SystemError("start the keeper of denied paths", errno);
  if (pid == 0) {
    KeeperProcess(std::move(options), other.get(), report.get(), privileged, std::move(runtime_directory)).Run();
  }
  return Keeper(std::move(own));
}

Result<void> Keeper::Join() {
  const char join = 1;
  ::send(socket_.get(), &join, 1, MSG_NOSIGNAL);
  std::string text(kMaxMessage, '\0');
  long size;
  while ((size = sys::Check(::recv(socket_.get(), text.data(), text.size(), 0))) == -EINTR) {
  }
  if (size <= 0) return Error(Code::kSystem, "the keeper of denied paths ended before the container was set up");
  text.resize(static_cast<size_t>(size) - 1);
  if (text.empty()) return {};
  const size_t end = text.find('\n');
  Error error(Code::kSystem, text.substr(0, end));
  if (end == std::string::npos) return error;
  return std::move(error).WithHint(text.substr(end + 1));
}

Result<void> Keeper::Release() {
  const char stay = 1;
  if (::send(socket_.get(), &stay, 1, MSG_NOSIGNAL) == 1) return {};
  return Error(Code::kSystem, "the keeper of denied paths ended before the container was set up");
}

std::vector<std::string> KeeperReport(const Entry& entry) {
  sys::UniqueFd report(sys::OpenAt(entry.folder(), kReport, O_RDONLY | O_NOFOLLOW));
  if (!report.valid()) return {};
  int waited = 0;
  while (::flock(report.get(), LOCK_SH | LOCK_NB) != 0) {
    if (waited > kPatienceMs) return {"the keeper of denied paths does not end; what it moved away was not reported"};
    ::poll(nullptr, 0, kLookAgainMs);
    waited += kLookAgainMs;
  }
  std::vector<std::string> sentences;
  Result<std::string> text = entry.ReadFile(kReport);
  if (!text.ok()) return {text.error().Describe()};
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    sentences.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return sentences;
}

}  // namespace mxc::container
