// Starts the lxc-exec that runs one sandbox, from inside of a process that isn't ours.
//
// The host keeps its signal handlers, its children and its threads to itself: the child shares the host's memory until it
// has executed (CLONE_VFORK, so no page of a large host is copied) and leads a session of its own, so that a terminal's
// Ctrl-C is the host's to decide on, unless it has the host's own streams. It is waited for by its descriptor, and a host that reaps every child takes nothing
// from us: how the sandbox ended comes over the socket.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "linux_runtime/compat/ffi_protocol.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::compat {

enum class Streams : uint8_t {
  kNone,      // /dev/null in and out
  kCaptured,  // /dev/null in, pipes out
  kPipes,
  kTerminal,  // pipes, one in, one out
  kHosts,     // the host's own three
};

struct StartOptions {
  std::string operation;  // of ffi_protocol.h
  bool experimental = false;
  std::string request = {};
  Streams streams = Streams::kNone;
  uint16_t rows = 0, columns = 0;  // of kPty
};

struct EventText {
  EventMessage message;
  std::string first, second;
};

class FfiProcess {
 public:
  static Result<FfiProcess> Start(const StartOptions& options);
  FfiProcess(FfiProcess&&) = default;
  FfiProcess& operator=(FfiProcess&&) = delete;
  ~FfiProcess();  // ends the sandbox and waits for that

  pid_t pid() const { return pid_; }
  int control() const { return control_.get(); }
  int pidfd() const { return pidfd_.get(); }

  void Send(const CommandMessage& message) const;
  // Waits for the next event, or with wait false takes one that is there. Nothing: none is there, or there will be no more
  // (finished() then).
  std::optional<EventText> Receive(bool wait);
  bool finished() const { return finished_; }
  // Waits for the process to be gone, whose last event was read.
  void Reap();

  sys::UniqueFd input, output, error;  // the host's ends

 private:
  FfiProcess() = default;

  pid_t pid_ = -1;
  bool finished_ = false;
  sys::UniqueFd control_, pidfd_;
};

}  // namespace mxc::compat
