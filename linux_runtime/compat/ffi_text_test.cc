#include "linux_runtime/compat/ffi_text.h"

#include <doctest/doctest.h>

namespace mxc::compat {
namespace {

using std::string_view_literals::operator""sv;

TEST_CASE("What no C string in UTF-8 can hold becomes U+FFFD") {
  CHECK(Readable("") == "");
  CHECK(Readable("plain\n\x7f") == "plain\n\x7f");
  CHECK(Readable("a\0b"sv) ==
        "a\xEF\xBF\xBD"sv
        "b");
  CHECK(Readable("\xff") == "\xEF\xBF\xBD");
  CHECK(Readable("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(Readable("\xE2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // cut short
  CHECK(Readable("\xC0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  CHECK(Readable("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
}

TEST_CASE("UTF-8 is told from other bytes") {
  CHECK(IsUtf8(""));
  CHECK(IsUtf8("{\"a\":\"\xC3\xA9\"}"));
  CHECK_FALSE(IsUtf8("\xff\xfe"));
  CHECK_FALSE(IsUtf8("abc\xC3"));
  CHECK_FALSE(IsUtf8("\xED\xA0\x80"));
}

}  // namespace
}  // namespace mxc::compat
