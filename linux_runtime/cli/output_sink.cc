#include "linux_runtime/cli/output_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace mxc::cli {

OutputSink::OutputSink(int fd, supervise::Loop& loop, std::function<void(size_t)> on_written,
                       std::function<void()> on_broken)
    : fd_(fd), loop_(loop), on_written_(std::move(on_written)), on_broken_(std::move(on_broken)) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return;
  socket_ = S_ISSOCK(found.st_mode);
  if (!S_ISFIFO(found.st_mode)) return;
  // An open file description of our own: O_NONBLOCK isn't forced upon those who share the old one.
  own_.reset(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (own_.valid()) {
    fd_ = own_.get();
  } else {
    limit_ = 4096;  // PIPE_BUF: what a ready pipe takes
  }
}

OutputSink::~OutputSink() { Watch(false); }

void OutputSink::Watch(bool on) {
  if (std::exchange(watched_, on) == on) return;
  if (on) {
    loop_.Watch(fd_, POLLOUT, [this](short) { Send(); });
  } else {
    loop_.Forget(fd_);
  }
}

void OutputSink::Write(std::string_view bytes) {
  if (broken_) return on_written_(bytes.size());
  pending_.append(bytes);
  if (limit_ == SIZE_MAX) {
    Send();
  } else {
    Watch(true);
  }
}

void OutputSink::Send() {
  size_t written = 0;
  while (!empty()) {
    const size_t size = std::min(limit_, pending_.size() - sent_);
    const char* at = pending_.data() + sent_;
    const ssize_t done = socket_ ? ::send(fd_, at, size, MSG_DONTWAIT | MSG_NOSIGNAL) : ::write(fd_, at, size);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno != EAGAIN) {
      broken_ = true;
      written += pending_.size() - sent_;
      sent_ = pending_.size();
      break;
    }
    if (done < 0) break;
    sent_ += static_cast<size_t>(done);
    written += static_cast<size_t>(done);
    if (limit_ != SIZE_MAX) break;
  }
  if (empty()) {
    pending_.clear();
    sent_ = 0;
  }
  Watch(!empty());
  if (written != 0) on_written_(written);
  if (broken_) on_broken_();
}

}  // namespace mxc::cli
