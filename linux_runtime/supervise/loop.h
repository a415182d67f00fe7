// A minimal event loop over ppoll(2): descriptors, timers and signals, one thread. A handful of descriptors is what a
// supervisor has; for so few, poll needs no set-up call where epoll needs two a descriptor. Nothing is allocated for
// an event, only when something is added.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::supervise {

class Loop {
 public:
  using Clock = std::chrono::steady_clock;
  using OnReady = std::function<void(short revents)>;
  using OnTimer = std::function<void()>;
  using OnSignal = std::function<void(const signalfd_siginfo&)>;
  using TimerId = uint32_t;  // 0: none

  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();  // gives the signal mask back

  // fd stays the caller's, who must Forget it before it is closed. events: POLLIN and so on; with 0 only errors and
  // hang-ups are told. A descriptor may be watched once.
  void Watch(int fd, short events, OnReady on_ready);
  void SetEvents(int fd, short events);
  void Forget(int fd);

  TimerId At(Clock::time_point when, OnTimer on_timer);
  TimerId After(std::chrono::milliseconds delay, OnTimer on_timer) {
    return At(Clock::now() + delay, std::move(on_timer));
  }
  // Cancelling a timer that fired, or 0, is allowed.
  void Cancel(TimerId id);

  // Blocks these signals for the calling thread and hands them to `on_signal` from Run. Signals that were ignored when
  // the process started (nohup, background jobs of scripts) are left alone: the kernel queues even these for a
  // signalfd. May be called once.
  Result<void> CatchSignals(const std::vector<int>& signals, OnSignal on_signal);

  // The signals stay blocked until the Loop ends (a report may be on its way out), but nobody is told any more.
  void ForgetSignals() { Forget(signals_.get()); }

  // Until Stop. Callbacks may add, change and remove anything, themselves too.
  Result<void> Run();
  void Stop() { stopped_ = true; }

 private:
  struct Watched {
    OnReady on_ready;
    bool alive = true;
  };
  struct Timer {
    TimerId id = 0;
    Clock::time_point when;
    OnTimer on_timer;
    bool alive = true;
  };

  int Find(int fd) const;
  void ReadSignals(const OnSignal& on_signal);
  void FireTimers();
  void Sweep();

  std::vector<pollfd> polled_;   // same order as watched_
  std::deque<Watched> watched_;  // a deque: a running callback stays where it is when others are added
  std::deque<Timer> timers_;
  TimerId last_timer_ = 0;
  sys::UniqueFd signals_;
  sigset_t mask_before_{};
  bool stopped_ = false;
  bool has_dead_ = false;
};

}  // namespace mxc::supervise
