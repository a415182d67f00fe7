#include "shared/base/escape_text.h"

#include "shared/base/utf8.h"

namespace mxc {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kCut = "\xe2\x80\xa6";  // …

// Ranges of code points that are invisible or change how their neighbours are shown. U+200C and U+200D join letters
// (Persian, Indic scripts, emoji) and stay.
struct Range {
  char32_t first, last;
};
constexpr Range kHidden[] = {
    {0x80, 0x9f},        // C1 controls
    {0xad, 0xad},        // soft hyphen
    {0x61c, 0x61c},      // Arabic letter mark
    {0x180e, 0x180e},    // Mongolian vowel separator
    {0x200b, 0x200b},    // zero width space
    {0x200e, 0x200f},    // left-to-right and right-to-left mark
    {0x2028, 0x202e},    // line and paragraph separator, bidirectional embeddings and overrides
    {0x2060, 0x206f},    // word joiner, invisible operators, bidirectional isolates, deprecated format characters
    {0xfeff, 0xfeff},    // byte order mark
    {0xfff0, 0xfffb},    // interlinear annotation
    {0xfffe, 0xffff},    // no characters
    {0xe0000, 0xe0fff},  // tags
};

bool Hidden(char32_t code) {
  if (code < 0x80) return false;
  for (const Range& range : kHidden) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

std::string EscapedByte(unsigned char byte) { return {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]}; }

std::string EscapedCode(char32_t code) {
  std::string digits;
  for (int shift = 20; shift >= 0; shift -= 4) {
    const char digit = kHex[code >> shift & 15];
    if (digit != '0' || !digits.empty() || shift < 16) digits += digit;
  }
  return "\\u{" + digits + "}";
}

}  // namespace

std::string EscapeText(std::string_view text, const EscapeOptions& options) {
  std::string out;
  out.reserve(text.size() < options.max_bytes ? text.size() : options.max_bytes);
  // Where to cut when the next character doesn't fit: the mark has to fit behind it.
  size_t cut = 0;
  while (!text.empty()) {
    const Utf8Char next = DecodeUtf8(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    std::string piece;
    if (!next.valid) {
      piece = EscapedByte(byte);
    } else if (next.code == '\n' && options.keep_newlines) {
      piece = "\n";
    } else if (next.code < 0x20 || next.code == 0x7f) {
      piece = EscapedByte(byte);
    } else if (Hidden(next.code)) {
      piece = EscapedCode(next.code);
    } else {
      piece = std::string(text.substr(0, next.size));
    }
    if (piece.size() > options.max_bytes - out.size()) {
      out.resize(cut);
      if (options.max_bytes >= kCut.size()) out += kCut;
      return out;
    }
    out += piece;
    if (options.max_bytes >= kCut.size() && out.size() <= options.max_bytes - kCut.size()) cut = out.size();
    text.remove_prefix(next.size);
  }
  return out;
}

}  // namespace mxc
