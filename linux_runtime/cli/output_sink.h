// A standard stream that what comes over the wire is written to, without ever blocking the rest: where the descriptor can't be
// opened again for that, only as much is written as a ready one takes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/sys/fd.h"

namespace mxc::cli {

class OutputSink {
 public:
  // on_written(n): so many bytes are gone (the reader has them, or nobody does any more). on_broken: nobody reads.
  OutputSink(int fd, supervise::Loop& loop, std::function<void(size_t)> on_written, std::function<void()> on_broken);
  ~OutputSink();
  OutputSink(const OutputSink&) = delete;
  OutputSink& operator=(const OutputSink&) = delete;

  void Write(std::string_view bytes);
  bool empty() const { return sent_ == pending_.size(); }

 private:
  void Send();
  void Watch(bool on);

  int fd_;
  sys::UniqueFd own_;
  size_t limit_ = SIZE_MAX;  // of one write
  bool socket_ = false, broken_ = false, watched_ = false;
  supervise::Loop& loop_;
  std::function<void(size_t)> on_written_;
  std::function<void()> on_broken_;
  std::string pending_;
  size_t sent_ = 0;
};

}  // namespace mxc::cli
