#include "linux_runtime/supervise/loop.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/sys/error.h"

namespace mxc::supervise {

Loop::~Loop() {
  if (signals_.valid()) ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

int Loop::Find(int fd) const {
  if (fd < 0) return -1;
  for (size_t i = 0; i < polled_.size(); ++i) {
    if (polled_[i].fd == fd && watched_[i].alive) return static_cast<int>(i);
  }
  return -1;
}

void Loop::Watch(int fd, short events, OnReady on_ready) {
  polled_.push_back({fd, events, 0});
  watched_.push_back({std::move(on_ready)});
}

void Loop::SetEvents(int fd, short events) {
  if (const int index = Find(fd); index >= 0) polled_[static_cast<size_t>(index)].events = events;
}

void Loop::Forget(int fd) {
  const int index = Find(fd);
  if (index < 0) return;
  watched_[static_cast<size_t>(index)].alive = false;
  polled_[static_cast<size_t>(index)].fd = -1;  // poll passes over negative ones
  polled_[static_cast<size_t>(index)].revents = 0;
  has_dead_ = true;
}

Loop::TimerId Loop::At(Clock::time_point when, OnTimer on_timer) {
  timers_.push_back({++last_timer_, when, std::move(on_timer)});
  return last_timer_;
}

void Loop::Cancel(TimerId id) {
  for (Timer& timer : timers_) {
    if (timer.id == id) timer.alive = false, has_dead_ = true;
  }
}

Result<void> Loop::CatchSignals(const std::vector<int>& signals, OnSignal on_signal) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) continue;
    sigaddset(&set, signal);
  }
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return sys::SystemError("signalfd", errno);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, &mask_before_); error != 0) {
    ::close(fd);
    return sys::SystemError("pthread_sigmask", error);
  }
  signals_.reset(fd);
  Watch(fd, POLLIN, [this, on_signal = std::move(on_signal)](short) { ReadSignals(on_signal); });
  return {};
}

void Loop::ReadSignals(const OnSignal& on_signal) {
  signalfd_siginfo info[8];
  const ssize_t size = ::read(signals_.get(), info, sizeof info);
  for (ssize_t i = 0; i < size / static_cast<ssize_t>(sizeof info[0]); ++i) on_signal(info[i]);
}

void Loop::FireTimers() {
  if (timers_.empty()) return;
  const Clock::time_point now = Clock::now();
  const size_t count = timers_.size();  // those that callbacks add wait for the next round
  for (size_t i = 0; i < count; ++i) {
    if (!timers_[i].alive || timers_[i].when > now) continue;
    timers_[i].alive = false;
    has_dead_ = true;
    timers_[i].on_timer();
  }
}

void Loop::Sweep() {
  if (!has_dead_) return;
  has_dead_ = false;
  std::erase_if(timers_, [](const Timer& timer) { return !timer.alive; });
  for (size_t i = watched_.size(); i-- > 0;) {
    if (watched_[i].alive) continue;
    watched_.erase(watched_.begin() + static_cast<ptrdiff_t>(i));
    polled_.erase(polled_.begin() + static_cast<ptrdiff_t>(i));
  }
}

Result<void> Loop::Run() {
  stopped_ = false;
  while (!stopped_) {
    Sweep();
    timespec wait{};
    const timespec* limit = nullptr;
    if (!timers_.empty()) {
      Clock::time_point next = Clock::time_point::max();
      for (const Timer& timer : timers_) next = std::min(next, timer.when);
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(next - Clock::now()).count();
      if (left > 0) wait = {static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
      limit = &wait;
    }
    const int ready = ::ppoll(polled_.data(), polled_.size(), limit, nullptr);
    if (ready < 0 && errno != EINTR) return sys::SystemError("poll", errno);
    const size_t count = ready > 0 ? polled_.size() : 0;
    for (size_t i = 0; i < count && !stopped_; ++i) {
      const short revents = polled_[i].revents;
      polled_[i].revents = 0;
      if (revents != 0 && watched_[i].alive) watched_[i].on_ready(revents);
    }
    if (!stopped_) FireTimers();
  }
  Sweep();
  return {};
}

}  // namespace mxc::supervise
