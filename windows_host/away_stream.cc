#include "windows_host/away_stream.h"

#include <chrono>
#include <utility>

namespace mxc::windows {

Result<std::unique_ptr<AwayStream>> AwayStream::Open(std::unique_ptr<HostSocket> socket, std::string_view id,
                                                     wire::Secret secret, uint32_t within_ms) {
  std::unique_ptr<AwayStream> away(new AwayStream(std::move(socket)));
  wire::Handshake handshake = wire::Handshake::Client(id, std::move(secret));
  if (!away->socket_->Write(handshake.TakeOutput())) return Error(Code::kSystem, "who listens takes nothing");
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(within_ms);
  while (!handshake.done()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    const std::string bytes = left > 0 ? away->socket_->Read(static_cast<uint32_t>(left)) : "";
    if (bytes.empty()) return Error(Code::kRefused, "who listens doesn't show that he knows the key");
    MXC_TRY(handshake.Receive(bytes));
  }
  away->stream_ = handshake.TakeStream(away->early_);
  return away;
}

std::string AwayStream::Read() {
  std::string plain = std::exchange(early_, {});
  while (plain.empty()) {
    const std::string bytes = socket_->Read(0);
    if (bytes.empty() || !stream_->Decrypt(bytes, plain).ok()) return "";
    if (stream_->finished()) break;
  }
  return plain;
}

bool AwayStream::Write(std::string_view bytes) {
  std::string records;
  stream_->Encrypt(bytes, records);
  return socket_->Write(records);
}

void AwayStream::Finish() {
  std::string last;
  stream_->Finish(last);
  (void)socket_->Write(last);
  socket_->ShutDown();
}

}  // namespace mxc::windows
