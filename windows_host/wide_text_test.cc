#include "windows_host/wide_text.h"

#include <string>

#include "doctest/doctest.h"

namespace mxc::windows {
namespace {

TEST_CASE("Text survives the way to UTF-16 and back") {
  for (std::string text : {"", "plain", "\xC3\xA4\xC3\xB6", "\xE6\xBC\xA2\xE5\xAD\x97", "\xF0\x9F\x90\xA7"}) {
    auto wide = Widen(text);
    REQUIRE(wide.ok());
    auto back = Narrow(*wide);
    REQUIRE(back.ok());
    CHECK(*back == text);
  }
  CHECK(*Widen("\xF0\x9F\x90\xA7") == L"\U0001F427");
}

TEST_CASE("What is no text is refused and not replaced") {
  CHECK_FALSE(Widen("\xFF").ok());
  CHECK_FALSE(Widen("\xC0\xAF").ok());
  CHECK_FALSE(Widen("cut \xE6\xBC").ok());
  const wchar_t half[] = {L'a', 0xD83D, L'b', 0};
  auto narrow = Narrow(half);
  REQUIRE_FALSE(narrow.ok());
  CHECK(narrow.error().message().find("surrogate") != std::string::npos);
}

}  // namespace
}  // namespace mxc::windows
