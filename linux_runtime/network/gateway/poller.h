// epoll(7) for one thread: descriptors with a callback each, and timers. For the thousands of connections that a gateway may
// carry; supervise/loop.h is for the few descriptors of a run.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "linux_runtime/sys/fd.h"

namespace mxc::network {

class Poller {
 public:
  using Clock = std::chrono::steady_clock;
  using OnReady = std::function<void(uint32_t events)>;
  using TimerId = std::pair<Clock::time_point, uint64_t>;  // when, and a number; number 0: none

  Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  // fd stays the caller's, who must Remove it before it is closed.
  void Add(int fd, uint32_t events, OnReady on_ready);
  void Change(int fd, uint32_t events);
  void Remove(int fd);

  TimerId After(std::chrono::milliseconds delay, std::function<void()> on_timer);
  // Sets it to none.
  void Cancel(TimerId& id);

  // Until Stop. Callbacks may add and remove anything, themselves too.
  void Run();
  void Stop() { stopped_ = true; }

 private:
  struct Watched {
    uint32_t generation = 0;  // of the descriptor's number: an event of its last owner isn't the next one's
    std::shared_ptr<OnReady> on_ready;
  };
  int Wait() const;
  void FireTimers();
  void Control(int operation, int fd, uint32_t events, uint32_t generation);

  sys::UniqueFd epoll_;
  std::unordered_map<int, Watched> watched_;
  std::map<TimerId, std::function<void()>> timers_;
  uint64_t last_timer_ = 0;
  uint32_t last_generation_ = 0;
  bool stopped_ = false;
};

}  // namespace mxc::network
