// Frames of the wire between a client (mxc, mxc.exe) and mxcd: a header of 12 bytes, then a payload.
//
//   u32 payload's size, u32 stream, u8 type, 3 zero bytes      little endian
//
// Stream 0 belongs to the connection (hello, messages, pings); the others carry the bytes of one direction of one standard
// stream or port each. docs/wire.md is the published form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::wire {

enum class FrameType : uint8_t {
  kHello = 1,    // stream 0, JSON: the first frame of each side
  kMessage = 2,  // stream 0, JSON: requests, replies, events
  kData = 3,     // 1 to kMaxData bytes
  kEnd = 4,      // nothing more comes on this stream
  kReset = 5,    // the reader wants nothing more of this stream
  kCredit = 6,   // u32: so many bytes more may be sent
  kPing = 7,     // stream 0, 8 bytes, which come back
  kPong = 8,
  kBye = 9,  // stream 0: a clean end of the connection, which nothing follows
};

inline constexpr size_t kHeaderSize = 12;
inline constexpr size_t kMaxHello = 256 << 10;  // with a host's facts
inline constexpr size_t kMaxMessage = 4 << 20;  // a policy and its spec
inline constexpr size_t kMaxData = 64 << 10;
inline constexpr uint32_t kWindow = 256 << 10;  // bytes on their way on one stream
inline constexpr uint32_t kMaxStreams = 1024;   // open at once on one connection

struct Frame {
  FrameType type = FrameType::kBye;
  uint32_t stream = 0;
  std::string_view payload;
};

// Appends a frame. The payload is within its type's limit: the sender's duty.
void AppendFrame(FrameType type, uint32_t stream, std::string_view payload, std::string& out);
// The 12 bytes of a header, for a payload that is written behind it by the caller.
void WriteHeader(FrameType type, uint32_t stream, uint32_t size, char* header);

void AppendU32(uint32_t number, std::string& out);
uint32_t ReadU32(std::string_view bytes);  // of the first four

// Cuts frames out of a byte stream that arrives in pieces.
class FrameReader {
 public:
  void Add(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole frame, whose payload stays valid until the next call of any function; none: more bytes are needed.
  // Errors (kInvalid): an unknown type, a size above the type's limit, a stream where none belongs, or none where one does:
  // after that the connection is of no use. What a header announces is refused before any of it is waited for.
  Result<std::optional<Frame>> Next();
  // What is behind the last frame; nothing is left here.
  std::string TakeRest();
  size_t waiting() const { return buffer_.size() - taken_; }

 private:
  std::string buffer_;
  size_t taken_ = 0;
};

}  // namespace mxc::wire
