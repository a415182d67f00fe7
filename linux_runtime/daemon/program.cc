#include "linux_runtime/daemon/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::daemon {
namespace {

constexpr size_t kReadSize = 64 << 10;
constexpr size_t kPiece = 16 << 10;

Result<void> MakePipe(sys::UniqueFd& read, sys::UniqueFd& write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return sys::SystemError("make a pipe for the program", errno);
  read.reset(ends[0]);
  write.reset(ends[1]);
  return {};
}

char* ReadBuffer() {
  static char* const kBuffer = new char[kReadSize];
  return kBuffer;
}

}  // namespace

Program::~Program() { DetachLoop(); }

Result<void> Program::MakeStreams(sys::UniqueFd (&theirs)[3]) {
  if (terminal_) {
    for (sys::UniqueFd& fd : theirs) {
      fd.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
      if (!fd.valid()) return sys::SystemError("open /dev/null", errno);
    }
    return {};
  }
  MXC_TRY(MakePipe(theirs[0], in_));
  MXC_TRY(MakePipe(out_.fd, theirs[1]));
  MXC_TRY(MakePipe(err_.fd, theirs[2]));
  for (const int fd : {in_.get(), out_.fd.get(), err_.fd.get()}) (void)sys::SetNonBlocking(fd);
  return {};
}

void Program::SetConsole(sys::UniqueFd console) {
  console_ = std::move(console);
  (void)sys::SetNonBlocking(console_.get());
  // Both directions of one descriptor: the output's watch serves both.
  out_.fd.reset(::fcntl(console_.get(), F_DUPFD_CLOEXEC, 3));
  if (loop_ != nullptr) OnProgress();
  SendInput();
}

void Program::Attach(supervise::Loop& loop) {
  loop_ = &loop;
  OnProgress();
  SendInput();
}

void Program::DetachLoop() {
  if (loop_ == nullptr) return;
  Watch(out_, false);
  Watch(err_, false);
  if (std::exchange(input_watched_, false)) loop_->Forget(terminal_ ? console_.get() : in_.get());
  loop_ = nullptr;
}

void Program::Watch(Output& output, bool on) {
  if (loop_ == nullptr || !output.fd.valid() || output.watched == on) return;
  output.watched = on;
  if (on) {
    loop_->Watch(output.fd.get(), POLLIN, [this, &output](short) { Read(output); });
  } else {
    loop_->Forget(output.fd.get());
  }
}

size_t Program::Room(bool error) const {
  // What is kept goes out in order: nothing of it may be passed by.
  if (client_ == nullptr) return keeps_ ? kReadSize : 0;
  if (StreamOf(error) == 0) return kReadSize;
  if (keeps_) return unsent_ < kKept ? std::min<size_t>(kReadSize, kKept - unsent_) : 0;
  return client_->mux().Room(StreamOf(error));
}

void Program::Read(Output& output) {
  const size_t room = Room(output.error);
  if (room == 0) return Watch(output, false);
  const ssize_t size = ::read(output.fd.get(), ReadBuffer(), std::min(room, kReadSize));
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {  // for a terminal EIO: nobody has it open any more
    Watch(output, false);
    output.fd.reset();
    return Settle();
  }
  Pass(output.error, {ReadBuffer(), static_cast<size_t>(size)});
  if (client_ != nullptr) client_->Flush();
}

// On to the client, as far as there is one; Room was looked at.
void Program::Pass(bool error, std::string_view bytes) {
  if (keeps_) {
    Keep(error, bytes);
    Send();
  } else if (StreamOf(error) != 0) {
    client_->mux().Write(StreamOf(error), bytes);
  }
}

void Program::Keep(bool error, std::string_view bytes) {
  kept_bytes_ += bytes.size();
  if (client_ != nullptr) unsent_ += bytes.size();
  while (!bytes.empty()) {
    if (kept_.empty() || kept_.back().error != error || kept_.back().bytes.size() >= kPiece) {
      kept_.push_back({error, {}});
      kept_.back().bytes.reserve(std::min(bytes.size(), kPiece));
    }
    std::string& last = kept_.back().bytes;
    const size_t part = std::min(bytes.size(), kPiece - last.size());
    last.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
  }
  while (kept_bytes_ > kKept && kept_bytes_ - kept_.front().bytes.size() >= unsent_) {
    if (client_ == nullptr) lost_ += kept_.front().bytes.size();
    kept_bytes_ -= kept_.front().bytes.size();
    kept_.pop_front();
  }
}

// From the first byte that the client doesn't have.
void Program::Send() {
  if (client_ == nullptr || unsent_ == 0) return;
  uint64_t skip = kept_bytes_ - unsent_;
  for (const Piece& piece : kept_) {
    if (skip >= piece.bytes.size()) {
      skip -= piece.bytes.size();
      continue;
    }
    const std::string_view bytes = std::string_view(piece.bytes).substr(skip);
    skip = 0;
    const uint32_t stream = StreamOf(piece.error);
    const size_t sent = stream == 0 ? bytes.size() : client_->mux().Write(stream, bytes);
    unsent_ -= sent;
    if (sent < bytes.size()) return;
  }
}

void Program::SetClient(transport::Connection* client, const wire::StreamNumbers& streams) {
  client_ = client;
  streams_ = streams;
  unsent_ = client != nullptr ? kept_bytes_ : 0;
  input_ended_ = false;
  if (client != nullptr) drained_ = told = false;  // one that is over already is told of again
  OnProgress();
}

std::unique_ptr<Program> Program::Copy() const {
  auto copy = std::make_unique<Program>(id_, false, true);
  copy->kept_ = kept_;
  copy->kept_bytes_ = kept_bytes_;
  copy->end_.emplace();
  return copy;
}

void Program::OnProgress() {
  Send();
  if (loop_ != nullptr) {
    Watch(out_, Room(false) != 0);
    Watch(err_, Room(true) != 0);
  }
  Settle();
}

void Program::OnData(std::string_view bytes) {
  typed_.append(bytes);
  SendInput();
}

void Program::OnEnd() {
  input_ended_ = true;
  SendInput();
}

void Program::SendInput() {
  const int fd = terminal_ ? console_.get() : in_.get();
  if (fd < 0) {
    if (!terminal_ && !typed_.empty()) {
      if (client_ != nullptr) client_->mux().Reset(streams_.input);
      typed_.clear();
    }
    return;
  }
  size_t done = 0;
  bool broken = false;
  while (done < typed_.size()) {
    const ssize_t size = ::write(fd, typed_.data() + done, typed_.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      broken = errno != EAGAIN;
      break;
    }
    done += static_cast<size_t>(size);
  }
  typed_.erase(0, done);
  if (done != 0 && client_ != nullptr) client_->mux().Consumed(streams_.input, done);
  if (broken && client_ != nullptr) client_->mux().Reset(streams_.input);
  if (broken) typed_.clear();
  const bool wait = !typed_.empty();
  if (loop_ != nullptr && wait != input_watched_) {
    input_watched_ = wait;
    if (wait) {
      loop_->Watch(fd, POLLOUT, [this](short) { SendInput(); });
    } else {
      loop_->Forget(fd);
    }
  }
  // A terminal has no half-close: its user types Ctrl-D.
  if ((broken || (input_ended_ && typed_.empty())) && !terminal_) in_.reset();
  if (client_ != nullptr) client_->Flush();
}

void Program::OnReset(uint32_t stream) {
  Output& output = stream == streams_.error ? err_ : out_;
  if (keeps_) {
    (stream == streams_.error ? streams_.error : streams_.output) = 0;
    return OnProgress();
  }
  Watch(output, false);
  output.fd.reset();
  (output.error ? streams_.error : streams_.output) = 0;
  Settle();
}

void Program::Resize(const wire::TerminalSize& size) {
  const winsize window{size.rows, size.columns, 0, 0};
  if (console_.valid()) ::ioctl(console_.get(), TIOCSWINSZ, &window);
}

void Program::Ended(const sandbox::StatusRecord& record) {
  end_ = record;
  if (loop_ != nullptr && std::exchange(input_watched_, false)) loop_->Forget(terminal_ ? console_.get() : in_.get());
  in_.reset();
  typed_.clear();
  if (client_ != nullptr && streams_.input != 0) client_->mux().Reset(streams_.input);
  Settle();
}

// After the end: pipes that are empty now count as ended, whoever else has them open.
void Program::Settle() {
  if (!end_ || drained_) return;
  for (Output* output : {&out_, &err_}) {
    while (output->fd.valid()) {
      const size_t room = Room(output->error);
      if (room == 0) {
        if (client_ != nullptr) return;  // OnProgress comes
        output->fd.reset();              // nobody wants it, and nothing is kept
        break;
      }
      const ssize_t size = ::read(output->fd.get(), ReadBuffer(), std::min(room, kReadSize));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        Watch(*output, false);
        output->fd.reset();
        break;
      }
      Pass(output->error, {ReadBuffer(), static_cast<size_t>(size)});
    }
  }
  if (client_ != nullptr && unsent_ != 0) return;
  drained_ = true;
  if (client_ != nullptr) {
    for (const uint32_t stream : {streams_.output, streams_.error}) {
      if (stream != 0) client_->mux().End(stream);
    }
  }
  if (on_drained) on_drained();
}

}  // namespace mxc::daemon
