#include "linux_runtime/compat/ffi_sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <utility>

namespace mxc::compat {

bool Stream::MakeStoppable() {
  if (!stop_.valid()) stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return stop_.valid();
}

ssize_t Stream::Read(uint8_t* buffer, size_t capacity) {
  for (;;) {
    pollfd ready[] = {{fd_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    if (ready[1].revents != 0) return 0;
    const ssize_t size = ::read(fd_.get(), buffer, capacity);
    if (size >= 0) return size;
    if (errno != EINTR && errno != EAGAIN) return -errno;
  }
}

// SIGPIPE is the host's; it is not to be had for a program that has closed its input.
ssize_t Stream::Write(const uint8_t* buffer, size_t size) {
  sigset_t pipe, before, pending;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::sigpending(&pending);
  const bool was_pending = ::sigismember(&pending, SIGPIPE) == 1;
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  ssize_t written = 0;
  do {
    written = ::write(fd_.get(), buffer, size);
  } while (written < 0 && errno == EINTR);
  const ssize_t result = written < 0 ? -errno : written;
  if (result == -EPIPE && !was_pending) {
    const timespec now{};
    while (::sigtimedwait(&pipe, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

void Stream::Stop() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
}

Sandbox::Sandbox(FfiProcess process) : process_(std::move(process)) {
  sys::UniqueFd* const ends[] = {&process_.input, &process_.output, &process_.error};
  for (size_t i = 0; i < 3; ++i) {
    if (ends[i]->valid()) slots_[i].stream = std::make_shared<Stream>(std::move(*ends[i]));
  }
}

std::shared_ptr<Stream> Sandbox::Take(Which which) {
  const std::lock_guard lock(mutex_);
  Slot& slot = At(which);
  if (descriptors_taken_ || slot.taken || !slot.stream) return nullptr;
  if (which != Which::kInput && !slot.stream->MakeStoppable()) return nullptr;
  slot.taken = true;
  return slot.stream;
}

std::shared_ptr<Stream> Sandbox::Find(Which which) {
  const std::lock_guard lock(mutex_);
  Slot& slot = At(which);
  if (descriptors_taken_ || !slot.stream || !slot.stream->MakeStoppable()) return nullptr;
  return slot.stream;
}

int32_t Sandbox::TakeDescriptors(MxcNativeStdio& stdio) {
  const std::lock_guard lock(mutex_);
  if (descriptors_taken_) return MXC_STATUS_BACKEND_UNAVAILABLE;
  for (const Slot& slot : slots_) {
    if (slot.taken) return MXC_STATUS_BACKEND_ERROR;
  }
  descriptors_taken_ = true;
  auto take = [](Slot& slot) -> intptr_t {
    slot.taken = true;
    return slot.stream ? slot.stream->Release() : -1;
  };
  stdio = {take(slots_[0]), take(slots_[1]), take(slots_[2])};
  return MXC_STATUS_SUCCESS;
}

// With the lock held.
std::optional<End> Sandbox::Look() {
  while (!end_) {
    std::optional<EventText> event = process_.Receive(false);
    if (!event) {
      if (!process_.finished()) return std::nullopt;
      end_ = End{-1, false, Error(Code::kInternal, "lxc-exec ended without a word")};
    } else if (event->message.event == Event::kEnded) {
      const bool timed_out = event->message.timed_out != 0 || deadline_passed_;
      end_ = End{timed_out ? -1 : event->message.exit_code, timed_out, std::nullopt};
      warnings_ = std::move(event->first);
    } else if (event->message.event == Event::kFailed) {
      end_ = End{-1, false, Error(Code::kSystem, event->first).WithHint(event->second)};
    }
  }
  return end_;
}

std::optional<End> Sandbox::TryWait() {
  const std::lock_guard lock(mutex_);
  return Look();
}

End Sandbox::Wait() {
  std::shared_ptr<Stream> drained[2];
  {
    const std::lock_guard lock(mutex_);
    if (Slot& input = At(Which::kInput); input.stream && !input.taken) input.stream->Close();
    for (size_t i = 0; i < 2; ++i) {
      Slot& slot = slots_[i + 1];
      if (!slot.taken) drained[i] = slot.stream;
      slot.taken = true;
    }
  }
  for (;;) {
    if (std::optional<End> end = TryWait()) {
      process_.Reap();
      return *std::move(end);
    }
    pollfd ready[3] = {{process_.control(), POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
    for (size_t i = 0; i < 2; ++i) {
      if (drained[i]) ready[i + 1].fd = drained[i]->fd();
    }
    if (::poll(ready, 3, -1) < 0) continue;
    uint8_t bytes[16384];
    for (size_t i = 0; i < 2; ++i) {
      if (ready[i + 1].revents != 0 && drained[i]->Read(bytes, sizeof bytes) <= 0) drained[i].reset();
    }
  }
}

void Sandbox::Kill(bool for_timeout) {
  const std::lock_guard lock(mutex_);
  if (Look()) return;
  deadline_passed_ = deadline_passed_ || for_timeout;
  process_.Send({.command = Command::kKill});
}

std::string Sandbox::Warnings() {
  const std::lock_guard lock(mutex_);
  Look();
  return warnings_;
}

}  // namespace mxc::compat
