// A sandbox and its streams, behind the handles of include/mxc.h.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "include/mxc.h"
#include "linux_runtime/compat/ffi_process.h"

namespace mxc::compat {

// One end of a pipe that another thread may stop the reading of.
class Stream {
 public:
  explicit Stream(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  // Before the first Read, or there may be none in flight that Stop could end.
  bool MakeStoppable();
  // The bytes, 0 at the end or after Stop, or -errno.
  ssize_t Read(uint8_t* buffer, size_t capacity);
  ssize_t Write(const uint8_t* buffer, size_t size);
  void Stop();

  int fd() const { return fd_.get(); }
  int Release() { return fd_.release(); }
  void Close() { fd_.reset(); }

 private:
  sys::UniqueFd fd_, stop_;
};

// How it ended. error: it is not known.
struct End {
  int32_t exit_code = -1;
  bool timed_out = false;
  std::optional<Error> error;
};

class Sandbox {
 public:
  enum class Which : uint8_t { kInput, kOutput, kError };

  explicit Sandbox(FfiProcess process);

  pid_t pid() const { return process_.pid(); }

  // Null: taken already, or not there.
  std::shared_ptr<Stream> Take(Which which);
  // The stream, taken or not, for a closer. Null: taken as a descriptor, or not there.
  std::shared_ptr<Stream> Find(Which which);
  // MXC_STATUS_*.
  int32_t TakeDescriptors(MxcNativeStdio& stdio);

  // Nothing: it still runs.
  std::optional<End> TryWait();
  End Wait();
  void Kill(bool for_timeout);
  void Resize(uint16_t rows, uint16_t columns) { process_.Send({Command::kResize, rows, columns}); }
  std::string Warnings();  // JSON, or ""

 private:
  struct Slot {
    std::shared_ptr<Stream> stream;
    bool taken = false;
  };

  std::optional<End> Look();
  Slot& At(Which which) { return slots_[static_cast<size_t>(which)]; }

  std::mutex mutex_;
  FfiProcess process_;
  Slot slots_[3];
  bool descriptors_taken_ = false;
  bool deadline_passed_ = false;
  std::optional<End> end_;
  std::string warnings_;
};

}  // namespace mxc::compat
