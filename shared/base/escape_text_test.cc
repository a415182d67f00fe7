#include "shared/base/escape_text.h"

#include <doctest/doctest.h>

#include "shared/base/utf8.h"

namespace mxc {
namespace {

TEST_CASE("what a terminal would act on becomes visible") {
  struct Row {
    std::string_view text, shown;
  };
  const Row rows[] = {
      {"plain text.txt", "plain text.txt"},
      {"grün 漢字 🙂", "grün 漢字 🙂"},
      {"C:\\temp", "C:\\temp"},
      {"a\x1b]52;c;eA==\a", "a\\x1b]52;c;eA==\\x07"},
      {"two\nlines\r\t", "two\\x0alines\\x0d\\x09"},
      {std::string_view("\0\x7f", 2), "\\x00\\x7f"},
      {"\xc2\x9b"
       "2J",
       "\\u{009b}2J"},  // CSI as a C1 control
      {"\x9b"
       "2J",
       "\\x9b2J"},  // the same as a bare byte
      {"exe.\xe2\x80\xae"
       "txt",
       "exe.\\u{202e}txt"},  // right-to-left override
      {"a\xe2\x80\x8b"
       "b\xef\xbb\xbf",
       "a\\u{200b}b\\u{feff}"},
      {"\xf3\xa0\x81\xa1", "\\u{e0061}"},  // tag letter
      {"\xe2\x80\xa8", "\\u{2028}"},
      {"\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80"},  // overlong slash, surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},           // above U+10FFFF
      {"\xe2\x82", "\\xe2\\x82"},                             // cut short
  };
  for (const Row& row : rows) CHECK(EscapeText(row.text) == row.shown);
}

TEST_CASE("newlines stay where the caller asks for it") {
  CHECK(EscapeText("a\nb\x1b", {.keep_newlines = true}) == "a\nb\\x1b");
}

TEST_CASE("a bounded result ends in a mark and never inside a character or an escape") {
  CHECK(EscapeText("abcdef", {.max_bytes = 6}) == "abcdef");
  CHECK(EscapeText("abcdefg", {.max_bytes = 6}) == "abc…");
  CHECK(EscapeText("a漢字漢", {.max_bytes = 9}) == "a漢…");
  CHECK(EscapeText("\x1b\x1b\x1b", {.max_bytes = 8}) == "\\x1b…");
  CHECK(EscapeText("abc", {.max_bytes = 2}).size() <= 2);
}

TEST_CASE("bytes outside of UTF-8 keep their value in a valid string") {
  CHECK(ValidUtf8("ok \xff\xe2\x82 \x1b") == "ok \\xff\\xe2\\x82 \x1b");
  CHECK(ValidUtf8("ü") == "ü");
}

}  // namespace
}  // namespace mxc
