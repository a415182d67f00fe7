#include "shared/wire/multiplexer.h"

#include <algorithm>

namespace mxc::wire {
namespace {

Error Broken(const std::string& what, uint32_t stream) {
  return Error(Code::kInvalid, what + " stream " + std::to_string(stream));
}

}  // namespace

bool Multiplexer::Open(uint32_t stream, bool reader) {
  if (stream <= last_stream_ || streams_.size() >= kMaxStreams) return false;
  last_stream_ = stream;
  streams_[stream].reader = reader;
  return true;
}

void Multiplexer::SendPing(uint64_t value) {
  std::string payload;
  AppendU32(static_cast<uint32_t>(value), payload);
  AppendU32(static_cast<uint32_t>(value >> 32), payload);
  AppendFrame(FrameType::kPing, 0, payload, out_);
}

size_t Multiplexer::Room(uint32_t stream) const {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || found->second.reader) return 0;
  const size_t waiting = out_.size() - sent_;
  if (waiting >= kBacklog) return 0;
  return std::min<size_t>({found->second.credit, kMaxData, kBacklog - waiting});
}

size_t Multiplexer::Write(uint32_t stream, std::string_view bytes) {
  const size_t size = std::min(Room(stream), bytes.size());
  if (size == 0) return 0;
  AppendFrame(FrameType::kData, stream, bytes.substr(0, size), out_);
  streams_[stream].credit -= static_cast<uint32_t>(size);
  return size;
}

void Multiplexer::End(uint32_t stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || found->second.reader) return;
  AppendFrame(FrameType::kEnd, stream, {}, out_);
  streams_.erase(found);
}

void Multiplexer::Reset(uint32_t stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.reader) return;
  AppendFrame(FrameType::kReset, stream, {}, out_);
  streams_.erase(found);
}

void Multiplexer::Consumed(uint32_t stream, size_t bytes) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.reader) return;
  Stream& of = found->second;
  of.consumed += static_cast<uint32_t>(bytes);
  // Seldom enough to cost nothing, early enough that a writer at full speed never waits for it.
  if (of.consumed < kWindow / 4) return;
  std::string payload;
  AppendU32(of.consumed, payload);
  AppendFrame(FrameType::kCredit, stream, payload, out_);
  of.credit += of.consumed;
  of.consumed = 0;
}

void Multiplexer::Sent(size_t bytes) {
  sent_ += bytes;
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
    if (out_.capacity() > 2 * kBacklog) out_.shrink_to_fit();
  } else if (sent_ >= kBacklog) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
}

Result<void> Multiplexer::Receive(std::string_view bytes) {
  reader_.Add(bytes);
  stalled_ = false;
  for (int frames = 0; !paused_; ++frames) {
    if (overfull() || frames == kFramesATurn) {
      stalled_ = reader_.waiting() != 0;
      return {};
    }
    const std::optional<Frame> frame = MXC_TRY(reader_.Next());
    if (!frame) return {};
    if (gone_) return Error(Code::kInvalid, "a frame arrived after the other side's goodbye");
    ++frames_;
    MXC_TRY(Handle(*frame));
  }
  return {};
}

Result<void> Multiplexer::Handle(const Frame& frame) {
  if (greeted_ == (frame.type == FrameType::kHello)) {
    return Error(Code::kInvalid, greeted_ ? "a second hello arrived" : "the first frame is no hello");
  }
  switch (frame.type) {
    case FrameType::kHello:
      greeted_ = true;
      return receiver_.OnHello(frame.payload);
    case FrameType::kMessage:
      return receiver_.OnMessage(frame.payload);
    case FrameType::kPing:
      // Pings that nobody reads the answers of are no way to fill our memory.
      if (out_.size() - sent_ < 2 * kBacklog) AppendFrame(FrameType::kPong, 0, frame.payload, out_);
      return {};
    case FrameType::kPong:
      return {};
    case FrameType::kBye:
      gone_ = true;
      receiver_.OnBye();
      return {};
    default:
      return HandleStream(frame);
  }
}

Result<void> Multiplexer::HandleStream(const Frame& frame) {
  const auto found = streams_.find(frame.stream);
  if (found == streams_.end()) {
    // Closed by us while this was on its way.
    if (frame.stream <= last_stream_) return {};
    return Broken("a frame arrived for the unknown", frame.stream);
  }
  Stream& of = found->second;
  const bool for_reader = frame.type == FrameType::kData || frame.type == FrameType::kEnd;
  if (of.reader != for_reader) return Broken("a frame arrived for the wrong direction of", frame.stream);
  switch (frame.type) {
    case FrameType::kData:
      if (frame.payload.size() > of.credit) return Broken("more than its credit arrived on", frame.stream);
      of.credit -= static_cast<uint32_t>(frame.payload.size());
      receiver_.OnData(frame.stream, frame.payload);
      return {};
    case FrameType::kEnd:
      streams_.erase(found);
      receiver_.OnEnd(frame.stream);
      return {};
    case FrameType::kReset:
      streams_.erase(found);
      receiver_.OnReset(frame.stream);
      return {};
    default:
      break;
  }
  const uint32_t more = ReadU32(frame.payload);
  if (more > kWindow - of.credit) return Broken("more credit than the window arrived for", frame.stream);
  of.credit += more;
  return {};
}

}  // namespace mxc::wire
