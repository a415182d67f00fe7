// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mxc {

struct Utf8Char {
  char32_t code = 0;
  uint8_t size = 0;  // bytes consumed: 1 to 4; of an invalid sequence 1; 0 only for empty text
  bool valid = false;
};

// The first character of `text`. A sequence that the end of the text cuts short is invalid.
Utf8Char DecodeUtf8(std::string_view text);

// `text` with every byte that belongs to no valid sequence written as \xNN, so that file names of any bytes can stand
// in JSON without losing which file they name.
std::string ValidUtf8(std::string_view text);

}  // namespace mxc
