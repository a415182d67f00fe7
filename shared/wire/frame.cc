#include "shared/wire/frame.h"

namespace mxc::wire {
namespace {

struct Rule {
  const char* name;
  size_t least, most;
  bool of_stream;
};

const Rule* RuleOf(uint8_t type) {
  static constexpr Rule kRules[] = {
      {"hello", 2, kMaxHello, false}, {"message", 2, kMaxMessage, false},
      {"data", 1, kMaxData, true},    {"end", 0, 0, true},
      {"reset", 0, 0, true},          {"credit", 4, 4, true},
      {"ping", 8, 8, false},          {"pong", 8, 8, false},
      {"bye", 0, 0, false},
  };
  return type >= 1 && type <= sizeof kRules / sizeof kRules[0] ? &kRules[type - 1] : nullptr;
}

}  // namespace

void AppendU32(uint32_t number, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(number >> shift & 0xff));
}

uint32_t ReadU32(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return number;
}

void WriteHeader(FrameType type, uint32_t stream, uint32_t size, char* header) {
  for (size_t i = 0; i < 4; ++i) header[i] = static_cast<char>(size >> (8 * i) & 0xff);
  for (size_t i = 0; i < 4; ++i) header[4 + i] = static_cast<char>(stream >> (8 * i) & 0xff);
  header[8] = static_cast<char>(type);
  header[9] = header[10] = header[11] = 0;
}

void AppendFrame(FrameType type, uint32_t stream, std::string_view payload, std::string& out) {
  char header[kHeaderSize];
  WriteHeader(type, stream, static_cast<uint32_t>(payload.size()), header);
  out.append(header, sizeof header).append(payload);
}

Result<std::optional<Frame>> FrameReader::Next() {
  if (taken_ != 0 && (taken_ == buffer_.size() || taken_ >= kMaxData)) {
    buffer_.erase(0, taken_);
    taken_ = 0;
    if (buffer_.empty() && buffer_.capacity() > kMaxMessage / 2) buffer_.shrink_to_fit();
  }
  const std::string_view left = std::string_view(buffer_).substr(taken_);
  if (left.size() < kHeaderSize) return std::optional<Frame>();
  const uint32_t size = ReadU32(left);
  const uint32_t stream = ReadU32(left.substr(4));
  const auto type = static_cast<uint8_t>(left[8]);
  const Rule* rule = RuleOf(type);
  if (rule == nullptr || left[9] != 0 || left[10] != 0 || left[11] != 0) {
    return Error(Code::kInvalid, "a frame of unknown type " + std::to_string(type) + " arrived")
        .WithHint("the other side speaks another protocol, or another version of this one");
  }
  const std::string name = rule->name;
  if (size < rule->least || size > rule->most) {
    return Error(Code::kInvalid, "a " + name + " frame of " + std::to_string(size) +
                                     " bytes arrived: " + std::to_string(rule->least) + " to " +
                                     std::to_string(rule->most) + " are allowed");
  }
  if ((stream != 0) != rule->of_stream) {
    return Error(Code::kInvalid, "a " + name + " frame arrived for stream " + std::to_string(stream));
  }
  if (left.size() < kHeaderSize + size) return std::optional<Frame>();
  taken_ += kHeaderSize + size;
  return std::optional<Frame>(Frame{static_cast<FrameType>(type), stream, left.substr(kHeaderSize, size)});
}

std::string FrameReader::TakeRest() {
  std::string rest = buffer_.substr(taken_);
  buffer_.clear();
  taken_ = 0;
  return rest;
}

}  // namespace mxc::wire
