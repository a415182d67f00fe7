#include "linux_runtime/transport/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::transport {
namespace {

constexpr size_t kReadSize = 128 << 10;
constexpr std::chrono::milliseconds kFinishWithin{5000};

// One buffer for all connections of the process: it holds nothing between two calls.
char* ReadBuffer() {
  static char* const kBuffer = new char[kReadSize];
  return kBuffer;
}

// As read(2), from a pipe or a socket; descriptors that came along are given to the caller: closing one can wait for as long as
// its sender likes (SO_LINGER).
ssize_t Receive(int fd, std::vector<sys::UniqueFd>& descriptors) {
  constexpr size_t kMost = 253;  // SCM_MAX_FD
  alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))];
  iovec data{ReadBuffer(), kReadSize};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (size < 0 && errno == ENOTSOCK) return ::read(fd, ReadBuffer(), kReadSize);
  if (size < 0) return size;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= header->cmsg_len; ++i) {
      int passed;
      memcpy(&passed, CMSG_DATA(header) + i * sizeof passed, sizeof passed);
      descriptors.emplace_back(passed);
    }
  }
  return size;
}

}  // namespace

bool KeepDescriptorsOut(int socket) {
  constexpr int kPassRights = 83;  // SO_PASSRIGHTS
  const int none = 0;
  return ::setsockopt(socket, SOL_SOCKET, kPassRights, &none, sizeof none) == 0;
}

void CloseElsewhere(std::vector<sys::UniqueFd> descriptors) {
  if (descriptors.empty()) return;
  const pid_t child = sys::Fork();
  if (child == 0) {
    // Nothing else of ours stays open for as long as that takes: a lock, another client's connection.
    std::vector<int> kept;
    for (const sys::UniqueFd& one : descriptors) kept.push_back(one.get());
    (void)sys::CloseAllBut(0, kept);
    // The one that holds them longest, and that nobody waits for.
    if (sys::Fork() == 0) ::usleep(100'000);
    ::_exit(0);
  }
  if (child > 0) ::waitpid(child, nullptr, 0);
  descriptors.clear();
}

Connection::Connection(sys::UniqueFd input, sys::UniqueFd output, std::unique_ptr<wire::SecretStream> secret)
    : input_(std::move(input)), output_(std::move(output)), secret_(std::move(secret)), mux_(*this) {
  (void)sys::SetNonBlocking(input_.get());
  if (output_.valid()) (void)sys::SetNonBlocking(output_.get());
}

std::unique_ptr<Connection> Connection::Resume(sys::UniqueFd socket, Handover handover) {
  std::unique_ptr<wire::SecretStream> secret;
  if (!handover.secret.empty()) {
    secret = wire::SecretStream::Import(handover.secret);
    if (!secret) return nullptr;
  }
  auto connection = std::make_unique<Connection>(std::move(socket), sys::UniqueFd(), std::move(secret));
  connection->mux_.Resume();
  connection->raw_ = std::move(handover.unsent);
  connection->unread_ = std::move(handover.unread);
  return connection;
}

Connection::~Connection() { DropWatches(); }

void Connection::Attach(supervise::Loop& loop) {
  DropWatches();
  loop_ = &loop;
  if (closed_) return;
  loop.Watch(input_.get(), POLLIN, [this](short events) {
    if ((events & POLLOUT) != 0) OnWritable();
    if (!closed_ && (events & ~POLLOUT) != 0) OnReadable();
  });
  if (output_.valid()) {
    loop.Watch(output_.get(), 0, [this](short events) {
      if ((events & (POLLERR | POLLHUP)) != 0 && (events & POLLOUT) == 0) return Close(std::nullopt);
      OnWritable();
    });
  }
  if (period_.count() != 0) Tick();
  if (finishing_) Finish();
  Flush();
}

void Connection::DropWatches() {
  if (loop_ == nullptr) return;
  loop_->Cancel(std::exchange(timer_, 0));
  loop_->Cancel(std::exchange(closing_, 0));
  loop_->Cancel(std::exchange(more_, 0));
  loop_->Forget(input_.get());
  if (output_.valid()) loop_->Forget(output_.get());
  loop_ = nullptr;
}

void Connection::Detach() { DropWatches(); }

void Connection::Start() {
  Result<void> taken = Take({});
  if (closed_ || !input_.valid()) return;  // given away
  if (!taken.ok()) return Close(std::move(taken).error());
  if (events_.on_progress) events_.on_progress();
  Flush();
}

Result<void> Connection::Take(std::string_view bytes) {
  if (unread_.empty()) return mux_.Receive(bytes);
  std::string whole = std::exchange(unread_, {});
  whole.append(bytes);
  return mux_.Receive(whole);
}

void Connection::OnReadable() {
  for (int turn = 0; turn < 4 && !closed_ && !mux_.overfull() && !mux_.stalled(); ++turn) {
    std::vector<sys::UniqueFd> unwanted;
    const ssize_t size = Receive(input_.get(), unwanted);
    if (!unwanted.empty()) {
      CloseElsewhere(std::move(unwanted));
      return Close(Error(Code::kRefused, "the other side sent descriptors, which the protocol has none of"));
    }
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (size <= 0) {
      const bool clean = heard_bye_ && (!secret_ || secret_->finished());
      if (clean) return Close(std::nullopt);
      Error error(Code::kSystem, "the other side ended the connection without a goodbye");
      return Close(size < 0 ? sys::SystemError("read from the connection", errno) : std::move(error));
    }
    const std::string_view bytes(ReadBuffer(), static_cast<size_t>(size));
    Result<void> taken;
    if (secret_) {
      std::string plain;
      taken = secret_->Decrypt(bytes, plain);
      if (taken.ok()) taken = Take(plain);
    } else {
      taken = Take(bytes);
    }
    if (closed_ || !input_.valid()) return;  // given away
    if (!taken.ok()) return Close(std::move(taken).error());
    if (bytes.size() < kReadSize) break;
  }
  if (closed_) return;
  if (events_.on_progress) events_.on_progress();
  Flush();
}

void Connection::OnWritable() {
  Flush();
  if (closed_) return;
  if (events_.on_progress) events_.on_progress();
  Flush();
}

// Takes what was left for others to have their turn, or because too much waited to be sent.
void Connection::GoOn() {
  if (loop_ == nullptr || closed_ || more_ != 0 || !mux_.stalled() || mux_.overfull()) return;
  more_ = loop_->After(std::chrono::milliseconds(0), [this] {
    more_ = 0;
    Start();
  });
}

// Moves what waits into raw_ as records. False: nothing is there to be sent.
bool Connection::Seal() {
  if (raw_sent_ < raw_.size()) return true;
  raw_.clear();
  raw_sent_ = 0;
  const std::string_view pending = mux_.Pending();
  if (!secret_) return !pending.empty();
  if (!pending.empty()) {
    secret_->Encrypt(pending, raw_);
    mux_.Sent(pending.size());
  }
  if (finishing_ && said_bye_) secret_->Finish(raw_);
  return !raw_.empty();
}

void Connection::Flush() {
  if (closed_ || output_broken_ || !input_.valid()) return;
  const int fd = output_.valid() ? output_.get() : input_.get();
  while (Seal()) {
    const bool sealed = raw_sent_ < raw_.size();
    const std::string_view bytes = sealed ? std::string_view(raw_).substr(raw_sent_) : mux_.Pending();
    // A socket whose reader is gone must not raise SIGPIPE; a pipe has no such flag, and its signal is ignored by main.
    ssize_t size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == ENOTSOCK) size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      WatchOutput(true);
      return GoOn();
    }
    if (size < 0) {
      const int error = errno;
      mux_.Sent(mux_.Pending().size());
      raw_.clear();
      raw_sent_ = 0;
      if (!std::exchange(output_broken_, true)) CloseSoon(sys::SystemError("write to the connection", error));
      return;
    }
    if (sealed) {
      raw_sent_ += static_cast<size_t>(size);
    } else {
      mux_.Sent(static_cast<size_t>(size));
    }
  }
  WatchOutput(false);
  GoOn();
  if (finishing_) {
    ::shutdown(fd, SHUT_WR);
    if (output_.valid()) {
      if (loop_ != nullptr) loop_->Forget(output_.get());
      output_.reset();
    }
    if (heard_bye_ || !loop_) CloseSoon(std::nullopt);
  }
}

// Not now: whoever sends is in the middle of something, and may go through a list that the close takes a part out of.
void Connection::CloseSoon(std::optional<Error> error) {
  if (closed_ || closing_ != 0) return;
  if (loop_ == nullptr) return Close(std::move(error));
  closing_ = loop_->After(std::chrono::milliseconds(0), [this, error = std::move(error)] {
    closing_ = 0;
    // Why the other side closed may still be there to be read.
    if (error) OnReadable();
    Close(error);
  });
}

void Connection::WatchOutput(bool on) {
  if (loop_ == nullptr) return;
  // Nothing is read from one that doesn't read, nor before what is there already.
  const short in = mux_.overfull() || mux_.stalled() ? 0 : POLLIN;
  if (output_.valid()) {
    loop_->SetEvents(output_.get(), on ? POLLOUT : 0);
    loop_->SetEvents(input_.get(), in);
  } else {
    loop_->SetEvents(input_.get(), static_cast<short>(in | (on ? POLLOUT : 0)));
  }
}

void Connection::Finish() {
  if (closed_) return;
  finishing_ = true;
  if (!std::exchange(said_bye_, true)) mux_.SendBye();
  if (loop_ != nullptr) {
    loop_->Cancel(timer_);
    timer_ = loop_->After(kFinishWithin, [this] { Close(std::nullopt); });
  }
  Flush();
}

void Connection::Close(std::optional<Error> error) {
  if (closed_) return;
  closed_ = true;
  mux_.Pause();  // frames behind the one that is being handled are nobody's
  DropWatches();
  if (guarded_) {
    std::vector<sys::UniqueFd> socket;
    socket.push_back(std::move(input_));
    CloseElsewhere(std::move(socket));
  }
  input_.reset();
  output_.reset();
  if (events_.on_closed && !abandoned_) {
    auto on_closed = events_.on_closed;  // the callback may replace the events
    on_closed(std::move(error));
  }
}

void Connection::Guard() { guarded_ = !KeepDescriptorsOut(input_.get()); }

void Connection::Abandon() {
  abandoned_ = true;
  Close(std::nullopt);
}

sys::UniqueFd Connection::GiveAway(Handover& handover) {
  Flush();
  DropWatches();
  mux_.Pause();
  handover.unread = mux_.TakeUnread();
  handover.unsent = raw_.substr(raw_sent_);
  if (secret_) {
    if (!mux_.Pending().empty()) secret_->Encrypt(mux_.Pending(), handover.unsent);
    handover.secret = secret_->Export();
  } else {
    handover.unsent += mux_.Pending();
  }
  mux_.Sent(mux_.Pending().size());
  closed_ = true;
  return std::move(input_);
}

void Connection::KeepAlive(std::chrono::milliseconds period) {
  period_ = period;
  if (loop_ != nullptr) Tick();
}

void Connection::Tick() {
  if (finishing_) return;
  timer_ = loop_->After(period_, [this] {
    const uint64_t frames = mux_.received_frames();
    silent_periods_ = frames == frames_seen_ ? silent_periods_ + 1 : 0;
    frames_seen_ = frames;
    if (silent_periods_ > 3) return Close(Error(Code::kSystem, "the other side has been silent for too long"));
    if (silent_periods_ > 0) mux_.SendPing(frames);
    Tick();
    Flush();
  });
}

Result<void> Connection::OnHello(std::string_view json) {
  if (events_.on_hello) return events_.on_hello(json);
  return {};
}

Result<void> Connection::OnMessage(std::string_view json) {
  if (events_.on_message) return events_.on_message(json);
  return {};
}

void Connection::OnData(uint32_t stream, std::string_view bytes) {
  if (events_.on_data) events_.on_data(stream, bytes);
}

void Connection::OnEnd(uint32_t stream) {
  if (events_.on_end) events_.on_end(stream);
}

void Connection::OnReset(uint32_t stream) {
  if (events_.on_reset) events_.on_reset(stream);
}

void Connection::OnBye() {
  heard_bye_ = true;
  // Both sides say it; who hears it first answers, once what it has to say is sent.
  if (!finishing_) {
    finishing_ = true;
    if (!std::exchange(said_bye_, true)) mux_.SendBye();
  }
}

}  // namespace mxc::transport
