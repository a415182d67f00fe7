#include "shared/base/plain_text.h"

#include <doctest/doctest.h>

#include <string>

namespace mxc {
namespace {

size_t OneByOne(std::string_view text, bool ascii) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x20 || c == '"' || c == '\\' || (ascii && c >= 0x80)) break;
  }
  return at;
}

TEST_CASE("each byte at each place between plain and high ones is found or passed over") {
  for (const char filler : {'a', ' ', '!', '#', '[', ']', '\x7f', '\x80', '\xa2', '\xff'}) {
    for (size_t size = 0; size < 20; ++size) {
      const std::string plain(size, filler);
      CHECK(PlainPrefix(plain) == size);
      CHECK(PlainPrefix<true>(plain) == OneByOne(plain, true));
      for (size_t place = 0; place < size; ++place) {
        for (int byte = 0; byte < 256; ++byte) {
          std::string text = plain;
          text[place] = static_cast<char>(byte);
          const bool same =
              PlainPrefix(text) == OneByOne(text, false) && PlainPrefix<true>(text) == OneByOne(text, true);
          if (!same) FAIL("byte " << byte << " at " << place << " of " << size);
        }
      }
    }
  }
}

TEST_CASE("the first of several special bytes counts") {
  CHECK(PlainPrefix("abc\"\\\n") == 3);
  CHECK(PlainPrefix("abcdefghij\n\"") == 10);
}

}  // namespace
}  // namespace mxc
