// Questions to mxcd, one after the other, each with its answer.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/wire/frame.h"
#include "shared/wire/message.h"
#include "windows_host/relay_process.h"

namespace mxc::windows {

class Conversation {
 public:
  explicit Conversation(RelayProcess& relay) : relay_(relay) {}

  // For a request without streams; its number is set here. Blocks. Errors: the connection ends before the answer; the answer is one.
  Result<wire::Reply> Ask(wire::Request request);
  const std::string& program() const { return program_; }  // "mxcd 0.1.0", after the first answer

 private:
  RelayProcess& relay_;
  wire::FrameReader frames_;
  std::string program_;
  uint32_t asked_ = 0;
};

}  // namespace mxc::windows
