// Several byte streams and a flow of messages over one connection, with credit for each stream: a reader that stands still
// stops its own stream's writer and nothing else. No I/O: bytes of the transport go in by Receive and out by Pending.
//
// Both sides name streams by numbers that a message of the client's chose, each higher than those before, and open them as
// readers or writers. A stream is one direction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/wire/frame.h"

namespace mxc::wire {

// What arrives. A callback may call anything of the multiplexer but Receive, and closes nothing under it.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // json: not parsed yet. Errors end the connection.
  virtual Result<void> OnHello(std::string_view json) = 0;
  virtual Result<void> OnMessage(std::string_view json) = 0;
  // Bytes for a stream that this side opened as reader; Consumed gives their credit back.
  virtual void OnData(uint32_t stream, std::string_view bytes) = 0;
  virtual void OnEnd(uint32_t stream) = 0;    // no more comes
  virtual void OnReset(uint32_t stream) = 0;  // the other side doesn't read this stream any more
  virtual void OnBye() = 0;
};

class Multiplexer {
 public:
  explicit Multiplexer(Receiver& receiver) : receiver_(receiver) {}

  // Takes at most kFramesATurn frames, so that others have their turn, and none while so much waits to be sent that the other side
  // can't be reading. What is left then (stalled) is taken by a further call, with no bytes even.
  // Errors (kInvalid): what breaks the protocol, after which the connection is of no use. Hello comes first and once.
  Result<void> Receive(std::string_view bytes);
  bool stalled() const { return stalled_; }
  bool overfull() const { return out_.size() - sent_ > 4 * kBacklog; }
  static constexpr int kFramesATurn = 64;

  void SendHello(std::string_view json) { AppendFrame(FrameType::kHello, 0, json, out_); }
  void SendMessage(std::string_view json) { AppendFrame(FrameType::kMessage, 0, json, out_); }
  void SendPing(uint64_t value);
  void SendBye() { AppendFrame(FrameType::kBye, 0, {}, out_); }

  // Numbers only rise; false: this one was used already, is 0, or too many are open.
  bool OpenReader(uint32_t stream) { return Open(stream, true); }
  bool OpenWriter(uint32_t stream) { return Open(stream, false); }

  // Whether so many streams can be opened, the first of which has this number.
  bool CanOpen(uint32_t first, size_t count) const {
    return first > last_stream_ && streams_.size() + count <= kMaxStreams;
  }

  // Bytes that Write would take now: 0 without credit, or while more than kBacklog waits for the transport.
  size_t Room(uint32_t stream) const;
  // Takes at most Room bytes; returns how many.
  size_t Write(uint32_t stream, std::string_view bytes);
  void End(uint32_t stream);  // of a writer
  // Of a reader: what still arrives is dropped.
  void Reset(uint32_t stream);
  void Consumed(uint32_t stream, size_t bytes);
  bool IsOpen(uint32_t stream) const { return streams_.count(stream) != 0; }

  // What the transport is to send, as far as it is known now; Sent takes the first `bytes` of it away.
  std::string_view Pending() const { return std::string_view(out_).substr(sent_); }
  void Sent(size_t bytes);

  // For a connection that another process goes on with: after Pause, called from a callback at the latest, no frame is taken any
  // more; TakeUnread gives what is behind the last one, and Receive of another Multiplexer takes it after Resume.
  void Pause() { paused_ = true; }
  std::string TakeUnread() { return reader_.TakeRest(); }
  void Resume() { greeted_ = true; }

  size_t buffered() const { return out_.size() + reader_.waiting(); }

  bool greeted() const { return greeted_; }             // the other side's hello was there
  uint64_t received_frames() const { return frames_; }  // for keep-alive: any frame is a sign of life

  static constexpr size_t kBacklog = 256 << 10;

 private:
  struct Stream {
    bool reader = false;
    uint32_t credit = kWindow;  // writer: may still send; reader: the other side may still send
    uint32_t consumed = 0;      // reader: not given back yet
  };

  bool Open(uint32_t stream, bool reader);
  Result<void> Handle(const Frame& frame);
  Result<void> HandleStream(const Frame& frame);

  Receiver& receiver_;
  FrameReader reader_;
  std::map<uint32_t, Stream> streams_;
  uint32_t last_stream_ = 0;
  std::string out_;
  size_t sent_ = 0;
  uint64_t frames_ = 0;
  bool greeted_ = false, gone_ = false, paused_ = false, stalled_ = false;
};

}  // namespace mxc::wire
