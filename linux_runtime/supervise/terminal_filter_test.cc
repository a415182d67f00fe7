#include "linux_runtime/supervise/terminal_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/supervise/terminal_check.h"

namespace mxc::supervise {
namespace {

using std::string_literals::operator""s;

std::string Filtered(std::string_view input, size_t chunk = std::string_view::npos) {
  TerminalFilter filter;
  std::string out;
  while (!input.empty()) {
    const size_t size = std::min(chunk, input.size());
    filter.Filter(input.substr(0, size), out);
    input.remove_prefix(size);
  }
  return out;
}

std::string Restored(std::string_view input) {
  TerminalFilter filter;
  std::string out;
  filter.Filter(input, out);
  out.clear();
  filter.Finish(out);
  return out;
}

TEST_CASE("normal use passes byte for byte") {
  const std::string samples[] = {
      "plain\r\n\ttext \b\a\0 \x7f"s,
      "grün 漢字 🙂 \u00a0 \ufffd",
      "\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3m\x1b[48:2::1:2:3m\x1b[4:3m\x1b[m",
      // vim: start, cursor shape, scroll region, title on the stack, end
      "\x1b[?1049h\x1b[22;0;0t\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h\x1b[1;24r\x1b[?12h\x1b[?12l\x1b[22;2t",
      "\x1b[2 q\x1b[?25l\x1b[H\x1b[2J\x1b[24;1H\x1b[K\x1b[?25h\x1b[3L\x1b[2M\x1b[4P\x1b[5@\x1b[2X\x1b[?5h\x1b[?5l",
      "\x1b[?1l\x1b>\x1b[>4;m\x1b[?2004l\x1b[?1004l\x1b[23;0;0t\x1b[?1049l",
      // ncurses: line drawing, insert mode, repeat, tabs, scrolling, reset
      "\x1b(B\x1b)0\x0eqqq\x0f\x1b[4h\x1b[4l\x1b[10b\x1b[3g\x1bH\x1b[S\x1b[2T\x1b[!p\x1b[?3;4l\x1b"
      "c\x1bM\x1b"
      "7\x1b"
      "8",
      "\x1b[34h\x1b[?25h\x1b[?0c\x1b[?17;0;64c",  // Linux console
      "\x1b[?1000h\x1b[?1002h\x1b[?1006h\x1b[?1006;1000l\x1b[?2026h\x1b[?2026l",
      "\x1b]0;user@host: ~\a\x1b]2;grün\x1b\\",
      "\x1b]8;id=1;https://example.com/a?b\x1b\\link\x1b]8;;\x1b\\",
      "\x1b]4;1;rgb:ff/00/00\a\x1b]11;#000000\x1b\\\x1b]104\a\x1b]111\a",
      "\x1b[1;2H\x1b[d\x1b[5G\x1b[s\x1b[u\x1b#8\x1b%G\x1b\\",
  };
  for (const std::string& sample : samples) {
    CAPTURE(sample);
    CHECK(Filtered(sample) == sample);
    CHECK(FindForbidden(sample) == "");
  }
}

TEST_CASE("what would reach beyond the screen is dropped") {
  struct Row {
    std::string input, output;
  };
  const Row rows[] = {
      {"a\x1b]52;c;ZXZpbA==\ab", "ab"},  // clipboard
      {"a\x1b]52;c;?\x1b\\b", "ab"},
      {"a\x1b]052;c;?\x1b\\b", "ab"},
      {"a\x1b]0052;c;x\ab", "ab"},
      {"a\x1b[cb\x1b[0c\x1b[>c\x1b[=c\x1b[?c\x1b[?;cz", "abz"},  // device attributes
      {"a\x1b[5n\x1b[6n\x1b[?6n\x1b[?996nb", "ab"},              // status, cursor position
      {"\x1b[?2004$p\x1b[4$px", "x"},                            // mode requests
      {"\x1bP$qm\x1b\\x", "x"},                                  // DECRQSS
      {"\x1bP+q544e\x1b\\x", "x"},                               // XTGETTCAP
      {"\x1b[>q\x1b[>0qx", "x"},                                 // XTVERSION
      {"\x1b]10;?\ax\x1b]11;?\x1b\\\x1b]4;1;?\a\x1b]4;1;red;2;?\a", "x"},
      {"\x1b]10;red;?\ax", "x"},
      {"\x1b[21t\x1b[18t\x1b[14t\x1b[11t\x1b[8;1;1t\x1b[3;0;0t\x1b[2tx", "x"},  // titles and sizes reported, window
      {"a\x05"
       "b\x1bZ",
       "ab"},                                      // ENQ, DECID
      {"\x1b[x\x1b[1*y\x1b[1;1;1;1;1;1*yx", "x"},  // checksum of the screen
      {"\x1b[5i\x1b[?4ix", "x"},                   // printer
      {"\x1b[?2l\x1b[?2031h\x1b[?2048h\x1b[?9001h\x1b[?1001h\x1b[2hx", "x"},
      {"\x1b[?25;2lx", "x"},               // one bad mode takes the others along
      {"\x1b[62;0\"p\x1b G\x1b%@x", "x"},  // 8-bit controls, other encodings
      {"\x1b_Gf=100;AAAA\x1b\\x\x1b^pm\x1b\\\x1bXsos\x1b\\\x1bktitle\x1b\\y", "xy"},
      {"\x1bPtmux;\x1b\x1b]52;c;eA==\a\x1b\\x", "\x1b\\x"},
      {"\x1b]777;notify;a;b\ax\x1b]1337;File=:AA\a\x1b]9;4;1;50\a\x1b]7;file:///etc\a\x1b]633;E;rm\a", "x"},
      {"\x1b]8;;file:///etc/passwd\x1b\\x\x1b]8;;\x1b\\", "x\x1b]8;;\x1b\\"},
      {"\x1b]Rx\x1b]P1ff0000y\x1b]P1ffzq", "xyzq"},  // Linux console palette
      {"\x1b]ltitle\x1b\\x\x1b]Ltitle\ay", "xy"},
      {"\x1b[>1u\x1b[<u\x1b[=1;1u\x1b[?ux", "x"},
      {"**\x18"
       "B0000",
       "**B0000"},  // ZMODEM
      {"\x1b[?1;2Sx\x1b[?4mx", "xx"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.input);
    CHECK(Filtered(row.input) == row.output);
    CHECK(FindForbidden(Filtered(row.input)) == "");
    CHECK(FindForbidden(row.input) != "");
  }
}

TEST_CASE("8-bit controls are understood and never passed as such") {
  CHECK(Filtered("\xc2\x9b"
                 "1mx") == "\x1b[1mx");
  CHECK(Filtered("\xc2\x9b"
                 "6nx") == "x");
  CHECK(Filtered("\xc2\x9d"
                 "52;c;eA==\xc2\x9cx") == "x");
  CHECK(Filtered("\xc2\x9d"
                 "2;t\xc2\x9cx") == "\x1b]2;t\x1b\\x");
  CHECK(Filtered("\xc2\x90q\xc2\x9cx\xc2\x85y") ==
        "x\x1b"
        "Ey");
  CHECK(Filtered("\x9b"
                 "6n") ==
        "\ufffd"
        "6n");
  CHECK(Filtered("\xe2\x9b"
                 "6n\xc3") ==
        "\ufffd"
        "6n");  // a cut character hides none
  CHECK(Filtered("\xc3\x1b[6nx") == "\ufffdx");
  CHECK(Filtered("\x1b]2;a\x9b"
                 "b\ax") ==
        "\x1b]2;a\ufffd"
        "b\ax");
}

TEST_CASE("titles are cleaned and bounded") {
  CHECK(Filtered("\x1b]2;a\nb\xe2\x80\xae"
                 "c\a") == "\x1b]2;ab\\u{202e}c\a");
  CHECK(Filtered("\x1b]2;" + std::string(1000, 'x') + "\a") == "\x1b]2;" + std::string(253, 'x') + "…\a");
  CHECK(Filtered("\x1b]2;" + std::string(5000, 'x') + "\az") == "z");
}

TEST_CASE("unfinished and cancelled functions leave nothing, and text goes on behind them") {
  CHECK(Filtered("a\x1b[12") == "a");
  CHECK(Filtered("a\x1b[12\x18"
                 "b") == "ab");
  CHECK(Filtered("a\x1b[12\x1b[1mb") == "a\x1b[1mb");
  CHECK(Filtered("a\x1b]2;t\x1b[1mb") == "a\x1b[1mb");
  CHECK(Filtered("a\x1b[1\nmb") == "a\n\x1b[1mb");  // as terminals do
  CHECK(Filtered("a\x1b[1\x05mb") == "a\x1b[1mb");
  CHECK(Filtered("\x1b[" + std::string(100000, '1') + "mx") == "x");
  CHECK(Filtered("\x1b[1?hx\x1b[ !px") == "xx");
  CHECK(Filtered("\x1b[ü") == "ü");
}

TEST_CASE("chunks don't matter") {
  const std::string input =
      "é\x1b[1;31m漢\x1b]2;ti\xc3\xbctle\x1b\\\x1b[6n\x1bP1;2|x\x1b\\\xc2\x9b"
      "3m\x1b]52;c;x\aa\xff\xe2\x82z\x1b(0q\x0e\x1b[?1049h";
  const std::string whole = Filtered(input);
  for (size_t chunk = 1; chunk < 20; ++chunk) CHECK(Filtered(input, chunk) == whole);
}

TEST_CASE("modes are restored when the program ends, and only those that it left changed") {
  struct Row {
    std::string input, restored;
  };
  const Row rows[] = {
      {"text \x1b[1mbold\x1b[0m", ""},
      {"\x1b[?2004h\x1b[?2004l\x1b[?25l\x1b[?25h\x1b[?7h\x1b=\x1b>", ""},
      {"\x1b[31m", "\x1b[0m"},
      {"\x1b[?25l", "\x1b[?25h"},
      {"\x1b[?1000;1006h\x1b[?2004h", "\x1b[?1000l\x1b[?1006l\x1b[?2004l"},
      {"\x1b[?1049h\x1b[2;5r\x1b[?25l",
       "\x1b[?1049l\x1b[?25h\x1b"
       "7\x1b[r\x1b"
       "8"},
      {"\x1b[?1049h\x1b"
       "c",
       ""},  // full reset
      {"\x1b[4h\x1b[20h", "\x1b[4l\x1b[20l"},
      {"\x1b=\x1b[5 q\x1b(0\x0e\x1b[>4;2m", "\x1b[>4;m\x1b>\x1b[0 q\x0f\x1b(B"},
      {"\x1b]8;;http://a/\a\x1b]12;red\a\x1b]4;1;red\a", "\x1b]8;;\x1b\\\x1b]104\x1b\\\x1b]112\x1b\\"},
      {"\x1b[?6h",
       "\x1b"
       "7\x1b[?6l\x1b"
       "8"},
      {"\x1b[?2026h", "\x1b[?2026l"},
      {"\x1b]2;unfinished", ""},
      {"\xe2\x82", "\ufffd"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.input);
    CHECK(Restored(row.input) == row.restored);
    CHECK(FindForbidden(Restored(row.input)) == "");
  }
}

TEST_CASE("what was dropped is counted") {
  TerminalFilter filter;
  std::string out;
  filter.Filter("\x1b[6n\x1b]52;c;x\a\x05plain\x1b[1m", out);
  CHECK(filter.dropped() == 3);
}

}  // namespace
}  // namespace mxc::supervise
