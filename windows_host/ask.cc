#include "windows_host/ask.h"

#include "shared/base/version.h"

namespace mxc::windows {

Result<wire::Reply> Conversation::Ask(wire::Request request) {
  std::string bytes;
  if (asked_ == 0) {
    wire::AppendFrame(wire::FrameType::kHello, 0, wire::WriteHello({.program = std::string("mxc.exe ") + kVersion}),
                      bytes);
  }
  request.id = ++asked_;
  wire::AppendFrame(wire::FrameType::kMessage, 0, wire::WriteRequest(request), bytes);
  if (!relay_.Write(bytes)) return Error(Code::kSystem, "the relay in the distribution takes nothing");
  for (;;) {
    while (const std::optional<wire::Frame> frame = MXC_TRY(frames_.Next())) {
      if (frame->type == wire::FrameType::kHello) {
        const wire::Hello hello = MXC_TRY(wire::ReadHello(frame->payload));
        MXC_TRY(wire::AgreeOn(hello));
        program_ = hello.program;
      }
      if (frame->type != wire::FrameType::kMessage) continue;
      wire::FromServer message = MXC_TRY(wire::ReadFromServer(frame->payload));
      // Number 0: what mxcd says to who was not understood.
      if (!message.reply || (message.reply->id != request.id && message.reply->id != 0)) continue;
      if (message.reply->error) return *std::move(message.reply->error);
      return *std::move(message.reply);
    }
    const std::string more = relay_.Read();
    if (more.empty()) return Error(Code::kSystem, "the connection to mxcd ended before it answered");
    frames_.Add(more);
  }
}

}  // namespace mxc::windows
