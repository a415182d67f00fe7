// What a peer of mxcd's (or a squatter in its place) sends: frames, messages, the beginning with the relay, records of the encrypted
// stream. Whatever the bytes are: nothing unbounded waits, what is read is read alike however it is cut, and what was read can
// be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "shared/audit/event.h"
#include "shared/wire/handshake.h"
#include "shared/wire/message.h"
#include "shared/wire/multiplexer.h"
#include "shared/wire/opening.h"

namespace mxc::wire {
namespace {

void Must(bool held) {
  if (!held) std::abort();
}

// Notes all that arrives, in order.
class Ear : public Receiver {
 public:
  Result<void> OnHello(std::string_view json) override { return Note("hello ", json); }
  Result<void> OnMessage(std::string_view json) override { return Note("message ", json); }
  void OnData(uint32_t stream, std::string_view bytes) override {
    (void)Note("data " + std::to_string(stream) + " ", bytes);
    if (mux != nullptr && (bytes.size() & 1) != 0) mux->Consumed(stream, bytes.size());
  }
  void OnEnd(uint32_t stream) override { (void)Note("end ", std::to_string(stream)); }
  void OnReset(uint32_t stream) override { (void)Note("reset ", std::to_string(stream)); }
  void OnBye() override { (void)Note("bye", ""); }
  Result<void> Note(const std::string& what, std::string_view text) {
    heard += what;
    heard += text;
    heard += '\n';
    return {};
  }
  std::string heard;
  Multiplexer* mux = nullptr;
};

// writes: between the pieces, this side sends, too; what is credit depends on that.
std::string Listen(std::string_view bytes, size_t step, bool writes) {
  Ear ear;
  Multiplexer mux(ear);
  ear.mux = &mux;
  for (uint32_t stream = 1; stream <= 6; ++stream)
    Must(stream % 2 == 0 ? mux.OpenReader(stream) : mux.OpenWriter(stream));
  std::string verdict = "whole";
  for (size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at)) {
    Result<void> received = mux.Receive(bytes.substr(at, step));
    while (received.ok() && mux.stalled() && !mux.overfull()) received = mux.Receive("");
    if (!received.ok()) {
      verdict = "broken";
      break;
    }
    for (uint32_t stream = 1; writes && stream <= 6; stream += 2) mux.Write(stream, "x");
    Must(mux.Pending().size() <= 4 * Multiplexer::kBacklog);
  }
  return ear.heard + verdict;
}

void Frames(std::string_view bytes) {
  std::string greeted;
  AppendFrame(FrameType::kHello, 0, "{}", greeted);
  greeted.append(bytes);
  const std::string whole = Listen(greeted, SIZE_MAX, false);
  Must(Listen(greeted, 7, false) == whole);
  (void)Listen(greeted, 64, true);
  (void)Listen(bytes, SIZE_MAX, false);
}

void Messages(std::string_view bytes) {
  if (Result<Request> request = ReadRequest(bytes); request.ok()) {
    Result<Request> again = ReadRequest(WriteRequest(*request));
    Must(again.ok() && *again == *request);
  }
  if (Result<FromServer> message = ReadFromServer(bytes); message.ok()) {
    if (message->reply) Must(ReadFromServer(WriteReply(*message->reply)).ok());
    if (message->exited) Must(ReadFromServer(WriteExited(*message->exited)).ok());
  }
  if (Result<Hello> hello = ReadHello(bytes); hello.ok()) Must(ReadHello(WriteHello(*hello)).ok());
}

void Openings(std::string_view bytes) {
  (void)ReadGreeting(bytes);
  (void)ReadOpening(bytes);
  std::string buffer(bytes), noise;
  (void)TakeMagic(buffer, noise);
  (void)TakePart(buffer);
  (void)audit::VerifyChain(bytes, nullptr);
}

void Records(std::string_view bytes) {
  static const Key kKey = NewKey();
  Handshake server = Handshake::Server([](std::string_view) {
    return std::optional<Secret>(Secret{kKey, std::string(32, 'h')});
  });
  (void)server.Receive(bytes);
  Must(!server.done() && server.TakeOutput().empty());
  SecretStream stream(kKey, Side::kServer);
  SecretStream client(kKey, Side::kClient);
  Must(stream.Start(client.header()).ok());
  std::string plain;
  (void)stream.Decrypt(bytes, plain);
  Must(plain.empty());
}

}  // namespace
}  // namespace mxc::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] & 3) {
    case 0:
      mxc::wire::Frames(bytes);
      break;
    case 1:
      mxc::wire::Messages(bytes);
      break;
    case 2:
      mxc::wire::Openings(bytes);
      break;
    default:
      mxc::wire::Records(bytes);
  }
  return 0;
}
