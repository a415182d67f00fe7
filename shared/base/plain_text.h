// How far text can be written as JSON (RFC 8259, section 7) as it stands. Documents of a start hold some thousand
// characters, nearly all of them plain, so eight are looked at in one step.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mxc {

// The number of bytes in front of the first that JSON must escape: a control character, a quotation mark or a backslash.
// kAscii: or of the first that isn't ASCII, and so may not be UTF-8 either.
template <bool kAscii = false>
size_t PlainPrefix(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  // The high bit of each byte that is zero, exact up to the lowest such one.
  const auto zero = [](uint64_t bytes) { return (bytes - kOnes) & ~bytes & kHighs; };
  size_t at = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; at + 8 <= text.size(); at += 8) {
      uint64_t bytes;
      std::memcpy(&bytes, text.data() + at, 8);
      const uint64_t control = (bytes - 0x20 * kOnes) & ~bytes & kHighs;
      const uint64_t foreign = kAscii ? bytes & kHighs : 0;
      const uint64_t special = control | foreign | zero(bytes ^ '"' * kOnes) | zero(bytes ^ '\\' * kOnes);
      if (special != 0) return at + static_cast<size_t>(std::countr_zero(special)) / 8;
    }
  }
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\' || (kAscii && c >= 0x80)) break;
  }
  return at;
}

}  // namespace mxc
