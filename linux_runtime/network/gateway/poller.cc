#include "linux_runtime/network/gateway/poller.h"

#include <algorithm>
#include <utility>

namespace mxc::network {
namespace {

constexpr int kEventsAtOnce = 128;

}  // namespace

void Poller::Control(int operation, int fd, uint32_t events, uint32_t generation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
  ::epoll_ctl(epoll_.get(), operation, fd, &event);
}

void Poller::Add(int fd, uint32_t events, OnReady on_ready) {
  watched_[fd] = {++last_generation_, std::make_shared<OnReady>(std::move(on_ready))};
  Control(EPOLL_CTL_ADD, fd, events, last_generation_);
}

void Poller::Change(int fd, uint32_t events) {
  const auto found = watched_.find(fd);
  if (found != watched_.end()) Control(EPOLL_CTL_MOD, fd, events, found->second.generation);
}

void Poller::Remove(int fd) {
  if (watched_.erase(fd) != 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Poller::TimerId Poller::After(std::chrono::milliseconds delay, std::function<void()> on_timer) {
  const TimerId id{Clock::now() + delay, ++last_timer_};
  timers_[id] = std::move(on_timer);
  return id;
}

void Poller::Cancel(TimerId& id) {
  if (id.second != 0) timers_.erase(id);
  id = {};
}

int Poller::Wait() const {
  if (timers_.empty()) return -1;
  const auto next = timers_.begin()->first.first - Clock::now();
  return static_cast<int>(std::max<int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(next).count()));
}

void Poller::FireTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= Clock::now()) {
    const std::function<void()> on_timer = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    on_timer();
  }
}

void Poller::Run() {
  epoll_event events[kEventsAtOnce];
  while (!stopped_) {
    const int count = ::epoll_wait(epoll_.get(), events, kEventsAtOnce, Wait());
    for (int i = 0; i < count && !stopped_; ++i) {
      const auto found = watched_.find(static_cast<int>(events[i].data.u64 & UINT32_MAX));
      if (found == watched_.end() || found->second.generation != events[i].data.u64 >> 32) continue;
      const std::shared_ptr<OnReady> on_ready = found->second.on_ready;  // outlives its own removal
      (*on_ready)(events[i].events);
    }
    FireTimers();
  }
}

}  // namespace mxc::network
