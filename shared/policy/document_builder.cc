#include "shared/policy/document_builder.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mxc::policy {
namespace {

// From so many members on, names are looked up in a set instead of one after the other.
constexpr size_t kLargeObject = 24;

// Length of the UTF-8 sequence at text[i], 0 when it is none (RFC 3629: no overlong forms, surrogates, above U+10FFFF).
size_t SequenceLength(std::string_view text, size_t i) {
  const auto byte = [&](size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u; };
  const auto tail = [&](size_t k) { return (byte(k) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// Offset of the first byte that is no UTF-8 or NUL; text.size() when all is well.
size_t FirstBadByte(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    while (i + 8 <= text.size()) {  // ASCII goes by eights
      uint64_t word;
      std::memcpy(&word, text.data() + i, 8);
      constexpr uint64_t kOnes = 0x0101010101010101, kTops = 0x8080808080808080;
      if ((word & kTops) != 0 || ((word - kOnes) & kTops) != 0) break;
      i += 8;
    }
    if (i == text.size()) break;
    if (text[i] == '\0') return i;
    const size_t length = SequenceLength(text, i);
    if (length == 0) return i;
    i += length;
  }
  return i;
}

}  // namespace

LineCounter::Place LineCounter::At(size_t offset) {
  offset = std::min(offset, text_.size());
  if (offset < offset_) {
    offset_ = 0;
    line_ = column_ = 1;
  }
  for (; offset_ < offset; ++offset_) {
    const auto byte = static_cast<unsigned char>(text_[offset_]);
    if (byte == '\n') {
      ++line_;
      column_ = 1;
    } else if ((byte & 0xC0) != 0x80) {
      ++column_;
    }
  }
  // A place inside a character belongs to that character, which was counted already.
  if (offset < text_.size() && (static_cast<unsigned char>(text_[offset]) & 0xC0) == 0x80) {
    return {line_, column_ > 1 ? column_ - 1 : 1};
  }
  return {line_, column_};
}

std::optional<Error> CheckText(std::string_view text, const std::string& source, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return Error(Code::kInvalid, "the document is larger than " + std::to_string(limits.bytes) + " bytes")
        .WithHint("a policy is a few kilobytes; is this the right file?")
        .WithPosition({source, 0, 0, ""});
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    return Error(Code::kInvalid, "the document starts with a byte order mark")
        .WithHint("save it as UTF-8 without BOM")
        .WithPosition({source, 1, 1, ""});
  }
  const size_t bad = FirstBadByte(text);
  if (bad == text.size()) return std::nullopt;
  const auto place = LineCounter(text).At(bad);
  if (text[bad] == '\0') {
    return Error(Code::kInvalid, "the document holds a NUL byte")
        .WithHint("save it as UTF-8 (UTF-16 is not read)")
        .WithPosition({source, place.line, place.column, ""});
  }
  return Error(Code::kInvalid, "the document is not valid UTF-8")
      .WithHint("save it as UTF-8")
      .WithPosition({source, place.line, place.column, ""});
}

std::string DocumentBuilder::Pointer() const {
  std::string pointer;
  for (const Open& open : open_) {
    const Value& value = *open.value;
    if (value.kind == Kind::kObject) {
      if (value.members.empty()) break;  // nothing named yet
      AppendPointer(pointer, value.members.back().name);
    } else {
      if (value.items.empty()) break;
      AppendPointer(pointer, std::to_string(value.items.size() - 1));
    }
  }
  return pointer;
}

bool DocumentBuilder::Refuse(size_t offset, std::string message, std::string hint) {
  if (error_) return false;
  const auto place = lines_.At(offset);
  error_ = Error(Code::kInvalid, std::move(message)).WithPosition({source_, place.line, place.column, Pointer()});
  if (!hint.empty()) std::move(*error_).WithHint(std::move(hint));
  return false;
}

Value* DocumentBuilder::Add(Kind kind, size_t offset) {
  Value* value = &root_;
  if (!open_.empty()) {
    Value& parent = *open_.back().value;
    value = parent.kind == Kind::kObject ? &parent.members.back().value : &parent.items.emplace_back();
  }
  has_root_ = true;
  const auto place = lines_.At(offset);
  value->kind = kind;
  value->line = place.line;
  value->column = place.column;
  if (++values_ > limits_.values) {
    Refuse(offset, "the document holds more than " + std::to_string(limits_.values) + " values");
    return nullptr;
  }
  return value;
}

bool DocumentBuilder::Scalar(Kind kind, std::string text, size_t offset, bool boolean) {
  Value* value = Add(kind, offset);
  if (value == nullptr) return false;
  if (kind == Kind::kString && text.find('\0') != std::string::npos) {
    return Refuse(offset, "the string holds a NUL character", "remove it: no path, name or argument can hold one");
  }
  value->text = std::move(text);
  value->boolean = boolean;
  return true;
}

bool DocumentBuilder::Begin(Kind kind, size_t offset) {
  Value* value = Add(kind, offset);
  if (value == nullptr) return false;
  if (open_.size() >= limits_.depth) {
    return Refuse(offset, "the document is nested deeper than " + std::to_string(limits_.depth) + " levels");
  }
  open_.push_back({value, {}});
  return true;
}

bool DocumentBuilder::Name(std::string name, size_t offset) {
  Open& open = open_.back();
  std::vector<Member>& members = open.value->members;
  bool twice = false;
  if (members.size() < kLargeObject) {
    twice = std::any_of(members.begin(), members.end(), [&](const Member& member) { return member.name == name; });
  } else {
    if (open.names.empty()) {
      for (const Member& member : members) open.names.insert(member.name);
    }
    twice = !open.names.insert(name).second;
  }
  Member& member = members.emplace_back();
  const auto place = lines_.At(offset);
  member.line = place.line;
  member.column = place.column;
  member.name = std::move(name);
  if (twice) {
    return Refuse(offset, "the key " + Quote(member.name) + " stands twice in its object",
                  "remove one of the two: readers disagree about which one counts");
  }
  if (member.name.find('\0') != std::string::npos) return Refuse(offset, "the key holds a NUL character");
  return true;
}

void DocumentBuilder::End() { open_.pop_back(); }

}  // namespace mxc::policy
