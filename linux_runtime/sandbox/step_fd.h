// A descriptor that one step of the child uses.
#pragma once

#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

// Closes at the end of a step. Unlike UniqueFd it also holds the -errno of a failed open.
class StepFd {
 public:
  explicit StepFd(int fd) : fd_(fd) {}
  StepFd(const StepFd&) = delete;
  StepFd& operator=(const StepFd&) = delete;
  ~StepFd() { reset(-1); }
  int get() const { return fd_; }
  bool failed() const { return fd_ < 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

}  // namespace mxc::sandbox
