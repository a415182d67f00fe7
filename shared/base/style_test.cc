#include "shared/base/style.h"

#include <doctest/doctest.h>

#include <sstream>

namespace mxc {
namespace {

TEST_CASE("an error is one message and one hint, without attributes unless asked for") {
  const Error error = Error(Code::kSystem, "EPERM").WithContext("mount /proc").WithHint("run as root");
  CHECK(FormatError(error, false) == "mxc: error: mount /proc: EPERM\n  hint: run as root\n");
  CHECK(FormatError(error, true) ==
        "\x1b[1;31mmxc: error:\x1b[0m mount /proc: EPERM\n\x1b[1m  hint:\x1b[0m run as root\n");
}

TEST_CASE("long messages wrap between words, and a long path stays whole") {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "wörter ";
  text += std::string(100, '/') + " end";
  std::istringstream lines(FormatError(Error(Code::kInvalid, text), false));
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    CHECK((line.size() <= 80 + 11 || line.find(std::string(100, '/')) != std::string::npos));  // ö has two bytes
    joined += (joined.empty() ? "" : " ") + line.substr(joined.empty() ? 0 : 4);
  }
  CHECK(joined == "mxc: error: " + text);
}

TEST_CASE("text of the sandbox can't act on the terminal") {
  const std::string shown = FormatError(Error(Code::kSystem, "open \x1b]52;c;x\a\nmxc: all is well"), false);
  CHECK(shown == "mxc: error: open \\x1b]52;c;x\\x07\\x0amxc: all is well\n");
}

}  // namespace
}  // namespace mxc
