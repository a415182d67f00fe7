#include "linux_runtime/supervise/console_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::supervise {
namespace {

constexpr size_t kReadSize = 16384;
constexpr int kLastWordsMs = 500;
constexpr std::chrono::milliseconds kLookAgain{50};
constexpr std::chrono::milliseconds kQuiet{500};
constexpr char kCtrlC = 3;

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// The terminal behind `fd` through an open file description of our own, so that O_NONBLOCK isn't forced upon the shell
// that shares the old one. Fails when the terminal belongs to someone else (after su).
sys::UniqueFd OpenAgain(int fd, int mode) {
  if (!::isatty(fd)) return {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  return sys::UniqueFd(::open(link.c_str(), mode | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace

ConsoleRelay::ConsoleRelay(const ConsoleStreams& streams, Loop& loop) : streams_(streams), loop_(loop) {}

ConsoleRelay::~ConsoleRelay() { Finish(); }

Result<void> ConsoleRelay::Start() {
  own_input_ = OpenAgain(streams_.input, O_RDONLY);
  own_output_ = OpenAgain(streams_.output, O_WRONLY);
  input_ = own_input_.valid() ? own_input_.get() : streams_.input;
  output_ = own_output_.valid() ? own_output_.get() : streams_.output;
  // A ready pipe takes PIPE_BUF bytes without blocking, a ready terminal at least 256 (its poll's threshold).
  write_limit_ = own_output_.valid() ? kReadSize : (::isatty(output_) ? 256 : 4096);
  if (int error = sys::SetNonBlocking(streams_.console); error < 0) {
    return sys::SystemError("make the console non-blocking", -error);
  }
  if (input_ < 0) {
    input_closed_ = true;
    // The user's terminal, which isn't raw, makes CR LF of LF itself.
    termios inner{};
    if (::tcgetattr(streams_.console, &inner) == 0) {
      inner.c_oflag &= ~static_cast<tcflag_t>(OPOST);
      ::tcsetattr(streams_.console, TCSANOW, &inner);
    }
  } else if (::isatty(input_)) {
    if (::tcgetattr(input_, &settings_) < 0) return sys::SystemError("read the terminal's settings", errno);
    has_settings_ = true;
  }
  shown_.reserve(3 * kReadSize + TerminalFilter::kMaxPending);
  started_ = true;
  Resize();
  SetRaw();
  loop_.Watch(output_, 0, [this](short) { OutputReady(); });
  UpdateEvents();
  return {};
}

void ConsoleRelay::Listen() {
  if (!started_ || finished_ || listening_) return;
  listening_ = true;
  if (!input_closed_) loop_.Watch(input_, POLLIN, [this](short) { InputReady(); });
  UpdateEvents();
}

void ConsoleRelay::SetRaw() {
  if (!has_settings_) return;
  termios raw = settings_;
  ::cfmakeraw(&raw);
  // In the background this stops us (SIGTTOU) until the shell brings us to the front, as it does with any program that
  // wants the terminal for itself.
  raw_ = ::tcsetattr(input_, TCSANOW, &raw) == 0;
}

void ConsoleRelay::Resize() {
  winsize size{};
  const bool known = ::ioctl(output_, TIOCGWINSZ, &size) == 0 || ::ioctl(input_, TIOCGWINSZ, &size) == 0;
  if (known) ::ioctl(streams_.console, TIOCSWINSZ, &size);
}

void ConsoleRelay::UpdateEvents() {
  if (!started_ || finished_) return;
  const bool typed_pending = typed_sent_ < typed_size_;
  if (listening_ && !input_closed_) loop_.SetEvents(input_, typed_pending ? 0 : POLLIN);
  if (!output_broken_) loop_.SetEvents(output_, OutputPending() ? POLLOUT : 0);
  short events = 0;
  if (!OutputPending()) events |= POLLIN;
  if (typed_pending) events |= POLLOUT;
  if (!watching_console_ && !console_hung_up_ && !OutputPending()) WatchConsole(true);
  if (watching_console_) loop_.SetEvents(streams_.console, events);
}

void ConsoleRelay::InputReady() {
  if (typed_sent_ < typed_size_) {
    // Nothing was asked for, so this is a hang-up. What was typed before goes first.
    loop_.Forget(input_);
    input_closed_ = true;
    return;
  }
  const ssize_t size = ::read(input_, typed_, sizeof typed_);
  if (size < 0 && WouldBlock(errno)) return;
  if (size <= 0) return InputEnded();
  if (on_drained_) {
    // Nobody reads any more; Ctrl-C ends the wait for a terminal that doesn't take the output.
    if (std::memchr(typed_, kCtrlC, static_cast<size_t>(size)) != nullptr) {
      shown_.clear();
      sent_ = 0;
      output_broken_ = true;
      loop_.Forget(output_);
      CheckDrained();
    }
    return;
  }
  typed_size_ = static_cast<size_t>(size);
  typed_sent_ = 0;
  last_typed_ = typed_[typed_size_ - 1];
  WriteConsole();
}

// Input that isn't a terminal can end while the program runs. A PTY can't be closed in one direction only; a terminal's
// user would type the end-of-file character, twice behind an unfinished line.
void ConsoleRelay::InputEnded() {
  if (!input_closed_) loop_.Forget(input_);
  input_closed_ = true;
  termios inner{};
  if (::tcgetattr(streams_.console, &inner) < 0 || (inner.c_lflag & ICANON) == 0) return;
  typed_size_ = typed_sent_ = 0;
  typed_[typed_size_++] = static_cast<char>(inner.c_cc[VEOF]);
  if (last_typed_ != '\n') typed_[typed_size_++] = static_cast<char>(inner.c_cc[VEOF]);
  WriteConsole();
}

void ConsoleRelay::WriteConsole() {
  while (typed_sent_ < typed_size_) {
    const ssize_t size = ::write(streams_.console, typed_ + typed_sent_, typed_size_ - typed_sent_);
    if (size < 0 && WouldBlock(errno)) break;
    if (size < 0)
      typed_sent_ = typed_size_;  // nobody there
    else
      typed_sent_ += static_cast<size_t>(size);
  }
  UpdateEvents();
}

void ConsoleRelay::ConsoleReady(short revents) {
  if (revents & POLLOUT) WriteConsole();
  if (OutputPending()) {
    // Not asked for, so a hang-up; what is left is read when there is room again (UpdateEvents).
    if (revents & (POLLHUP | POLLERR)) WatchConsole(false);
    return;
  }
  if (revents & (POLLIN | POLLHUP | POLLERR)) ReadConsole();
}

void ConsoleRelay::ReadConsole() {
  char bytes[kReadSize];
  const ssize_t size = ::read(streams_.console, bytes, sizeof bytes);
  if (size < 0 && WouldBlock(errno)) return;
  if (size <= 0) return ConsoleHungUp();
  heard_ = true;
  if (output_broken_) return;
  filter_.Filter({bytes, static_cast<size_t>(size)}, shown_);
  OutputReady();
}

void ConsoleRelay::WatchConsole(bool on) {
  if (on == watching_console_) return;
  watching_console_ = on;
  if (!on) return loop_.Forget(streams_.console);
  loop_.Watch(streams_.console, 0, [this](short revents) { ConsoleReady(revents); });
}

// No process has the other side open (EIO). It may be opened again (/dev/tty), and poll tells a hang-up all the time,
// so it is looked at in intervals.
void ConsoleRelay::ConsoleHungUp() {
  console_hung_up_ = true;
  WatchConsole(false);
  if (on_drained_) return CheckDrained();
  loop_.Cancel(look_again_);
  look_again_ = loop_.After(kLookAgain, [this] {
    console_hung_up_ = false;
    UpdateEvents();
  });
}

void ConsoleRelay::OutputReady() {
  if (!OutputPending() && !output_broken_) {
    pollfd state{output_, 0, 0};
    if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP | POLLNVAL))) {
      loop_.Forget(output_);
      output_broken_ = true;
    }
  }
  while (OutputPending() && !output_broken_) {
    const size_t chunk = std::min(shown_.size() - sent_, write_limit_);
    const ssize_t size = ::write(output_, shown_.data() + sent_, chunk);
    if (size < 0 && WouldBlock(errno)) break;
    if (size < 0) {
      loop_.Forget(output_);
      output_broken_ = true;
      break;
    }
    sent_ += static_cast<size_t>(size);
    if (!own_output_.valid()) break;  // may block: one write for each word of poll
  }
  if (!OutputPending() || output_broken_) {
    shown_.clear();
    sent_ = 0;
  }
  UpdateEvents();
  CheckDrained();
}

void ConsoleRelay::Suspend() {
  if (!started_ || finished_) return;
  GiveBack();
}

void ConsoleRelay::Resume() {
  if (!started_ || finished_) return;
  SetRaw();
  Resize();
}

void ConsoleRelay::Drain(std::function<void()> on_done) {
  on_drained_ = std::move(on_done);
  if (!started_ || finished_) return CheckDrained();
  loop_.Cancel(look_again_);
  console_hung_up_ = false;
  typed_size_ = typed_sent_ = 0;
  Listen();
  UpdateEvents();
  DrainTick();
  CheckDrained();
}

// Something outside of the container may hold the other side open, and no hang-up comes.
void ConsoleRelay::DrainTick() {
  look_again_ = loop_.After(kQuiet, [this] {
    if (!heard_ && !OutputPending()) return ConsoleHungUp();
    heard_ = false;
    DrainTick();
  });
}

void ConsoleRelay::CheckDrained() {
  if (!on_drained_ || (started_ && !finished_ && (OutputPending() || !(console_hung_up_ || output_broken_)))) return;
  const std::function<void()> done = std::exchange(on_drained_, nullptr);
  done();
}

// Restores the modes that the program changed and the settings of the line. Not from the background, where the
// terminal is the shell's.
void ConsoleRelay::GiveBack() {
  std::string last = shown_.substr(sent_);
  shown_.clear();
  sent_ = 0;
  filter_.Finish(last);
  for (size_t sent = 0; sent < last.size() && !output_broken_;) {
    pollfd ready{output_, POLLOUT, 0};
    if (::poll(&ready, 1, kLastWordsMs) <= 0 || !(ready.revents & POLLOUT)) break;
    const ssize_t size = ::write(output_, last.data() + sent, std::min(last.size() - sent, write_limit_));
    if (size < 0 && !WouldBlock(errno)) break;
    if (size > 0) sent += static_cast<size_t>(size);
  }
  if (!raw_) return;
  raw_ = false;
  const pid_t front = ::tcgetpgrp(input_);
  if (front >= 0 && front != ::getpgrp()) return;
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &stop, &before);
  ::tcsetattr(input_, TCSANOW, &settings_);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ConsoleRelay::Finish() {
  if (!started_ || finished_) return;
  finished_ = true;
  loop_.Cancel(look_again_);
  if (!input_closed_) loop_.Forget(input_);
  if (!output_broken_) loop_.Forget(output_);
  WatchConsole(false);
  GiveBack();
}

}  // namespace mxc::supervise
