#include "shared/policy/windows_path.h"

#include <doctest/doctest.h>

#include <random>

#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

const WslTarget kDebian{"/mnt", "Debian"};

TEST_CASE("the spellings that are taken") {
  const struct {
    const char *in, *out;
  } table[] = {
      {R"(C:\)", "/mnt/c"},
      {R"(C:\proj)", "/mnt/c/proj"},
      {R"(c:\Proj\)", "/mnt/c/Proj"},
      {"D:/a/b c", "/mnt/d/a/b c"},
      {R"(z:\a/b\c)", "/mnt/z/a/b/c"},
      {R"(\\?\C:\proj\x)", "/mnt/c/proj/x"},
      {R"(C:\PROGRA~1)", "/mnt/c/PROGRA~1"},  // the runtime settles what object that is
      {R"(C:\.git\..x\a...b)", "/mnt/c/.git/..x/a...b"},
      {R"(C:\console\nullable\com10\COM)", "/mnt/c/console/nullable/com10/COM"},
      {"C:\\\xC3\xA9\\e\xCC\x81", "/mnt/c/\xC3\xA9/e\xCC\x81"},  // composed and decomposed: two names, kept apart
      {"C:\\\xEF\xAC\x81\\\xC4\xB0\\\xE2\x84\xAA", "/mnt/c/\xEF\xAC\x81/\xC4\xB0/\xE2\x84\xAA"},
      {R"(\\wsl.localhost\Debian\home\u)", "/home/u"},
      {R"(\\WSL$\debian\home\u\)", "/home/u"},
      {R"(\\wsl.LOCALHOST\DEBIAN)", "/"},
      {"\\\\wsl$\\Debian\\", "/"},
  };
  for (const auto& row : table) {
    CAPTURE(row.in);
    CHECK(LooksLikeWindowsPath(row.in));
    const auto got = TranslateWindowsPath(row.in, kDebian);
    REQUIRE_MESSAGE(got.ok(), got.error().message());
    CHECK(*got == row.out);
    CHECK(IsNormal(*got));
  }
}

TEST_CASE("the automount root may be anywhere") {
  CHECK(*TranslateWindowsPath(R"(C:\x)", {"/", "D"}) == "/c/x");
  CHECK(*TranslateWindowsPath(R"(C:\x)", {"/win drives/", "D"}) == "/win drives/c/x");
  CHECK_FALSE(TranslateWindowsPath(R"(C:\x)", {"mnt", "D"}).ok());
}

TEST_CASE("what Windows would interpret is refused, with the reason") {
  const struct {
    std::string in, why;
  } table[] = {
      {R"(C:\proj\..\Users)", "\"..\""},
      {R"(C:\proj\.\x)", "\".\""},
      {"C:/proj/../..", "\"..\""},
      {R"(\\?\C:\proj\..\x)", "\"..\""},
      {R"(\\WSL$\debian\..\..)", "\"..\""},
      {"c:proj", "current folder"},
      {"C:", "current folder"},
      {R"(\proj)", "no drive"},
      {R"(\)", "no drive"},
      {R"(C:\a\\b)", "two separators"},
      {R"(C:\\a)", "two separators"},
      {"C:\\proj.", "dot or space"},
      {"C:\\proj ", "dot or space"},
      {R"(C:\proj...\x)", "dot or space"},
      {"C:\\proj. .\\x", "dot or space"},
      {R"(C:\proj\nul)", "device"},
      {R"(C:\proj\nul.txt)", "device"},
      {R"(C:\proj\NUL .txt)", "device"},
      {R"(C:\CON\x)", "device"},
      {R"(C:\proj\conin$)", "device"},
      {R"(C:\proj\com0)", "device"},
      {R"(C:\proj\LPT9.log)", "device"},
      {"C:\\proj\\COM\xC2\xB9", "device"},
      {"C:\\proj\\lpt\xC2\xB3.x", "device"},
      {R"(C:\proj\x:stream)", "stream"},
      {R"(C:\proj::$INDEX_ALLOCATION)", "stream"},
      {R"(C:\proj:$I30:$INDEX_ALLOCATION)", "stream"},
      {R"(\\.\C:\proj)", "device"},
      {R"(\\.\PhysicalDrive0)", "device"},
      {R"(\??\C:\proj)", "device"},
      {R"(\\?\GLOBALROOT\Device\HarddiskVolume3\x)", "only"},
      {R"(\\?\Volume{6c2c8a9e-0000-0000-0000-100000000000}\x)", "only"},
      {R"(\\?\UNC\wsl.localhost\Debian\x)", "only"},
      {R"(\\?\UNC\server\share)", "only"},
      {R"(\\?\C:)", "only"},
      {R"(\\?\C:\a/b)", "mixes"},
      {R"(\Device\HarddiskVolume3\x)", "no drive"},
      {R"(\\localhost\C$\x)", "network share"},
      {R"(\\127.0.0.1@80\x)", "network share"},
      {R"(\\server\share\x)", "network share"},
      {R"(\\\wsl$\Debian\x)", "network share"},
      {R"(\\wsl.localhost\Other\etc)", "distribution"},
      {R"(\\wsl.localhost\Debian-evil\x)", "distribution"},
      {R"(\\wsl.localhost\Debia)", "distribution"},
      {R"(\\wsl.localhost)", "distribution"},
      {R"(\\wsl.localhost\\Debian\x)", "distribution"},
      {"\\\\wsl$\\Deb\xC4\xB1"
       "an\\x",
       "distribution"},  // dotless i is another letter
      {R"(\\wsl$\Debian\mnt\c\Users)", "drive"},
      {"C:\\a\xEF\x80\x80\\etc", "U+F000"},
      {"C:\\a\xEF\x80\xBA"
       "b",
       "U+F000"},
      {"C:\\a\xEF\x81\x9C"
       "b",
       "U+F000"},
      {"C:\\a\xED\xA0\x80", "surrogate"},
      {"C:\\a\xC0\xAF", "UTF-8"},
      {"C:\\a\xF4\x90\x80\x80", "UTF-8"},
      {"C:\\a\xE2\x82", "UTF-8"},
      {std::string("C:\\a\0b", 6), "NUL"},
      {"C:\\a\nb", "control"},
      {"C:\\a\x7F", "control"},
      {"C:\\a\xE2\x80\xAE"
       "b",
       "reading direction"},
      {"C:\\a\xE2\x81\xA6"
       "b",
       "reading direction"},
      {R"(C:\a*)", "in no name"},
      {R"(C:\a?b)", "in no name"},
      {R"(C:\a"b)", "in no name"},
      {R"(C:\a|b)", "in no name"},
      {R"(C:\<a>)", "in no name"},
      {"C:\\" + std::string(256, 'n'), "255"},
      {"C:\\" +
           [] {
             std::string name;
             for (int i = 0; i < 100; ++i) name += "\xE2\x82\xAC";
             return name;
           }(),
       "255"},
      {R"(proj\x)", "not an absolute path"},
      {"1:\\x", "current folder"},
      {"/mnt/c/x", "no drive"},
  };
  for (const auto& row : table) {
    CAPTURE(row.in);
    const auto got = TranslateWindowsPath(row.in, kDebian);
    REQUIRE_FALSE(got.ok());
    CAPTURE(got.error().message());
    CHECK(got.error().message().find(row.why) != std::string::npos);
  }
  CHECK_FALSE(TranslateWindowsPath("", kDebian).ok());
  CHECK_FALSE(TranslateWindowsPath(R"(\\wsl$\Debian\x)", {"/mnt", ""}).ok());
}

TEST_CASE("paths of Linux are not taken for Windows paths") {
  for (const char* path : {"/", "/mnt/c", "//wsl.localhost/Debian", "relative", "", "~", "1:\\x"}) {
    CHECK_FALSE(LooksLikeWindowsPath(path));
  }
}

TEST_CASE("whatever is accepted lies under the automount root or in the distribution, without surprises in it") {
  std::mt19937 random(5);
  const std::string pieces[] = {"C:", "\\", "\\",      "/",          ".",      "..", "a",        "nul",
                                " ",  ":",  "\\\\?\\", "\\\\wsl$\\", "Debian", "$",  "\xC3\xA9", "\xFF"};
  int accepted = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string text = random() % 2 ? "C:\\" : "";
    const unsigned count = random() % 7;
    for (unsigned i = 0; i < count; ++i) text += pieces[random() % std::size(pieces)];
    const auto got = TranslateWindowsPath(text, kDebian);
    if (!got.ok()) continue;
    ++accepted;
    REQUIRE(IsNormal(*got));
    CAPTURE(text);
    const bool drive = IsWithin(*got, "/mnt/c") || IsWithin(*got, "/mnt/a");
    REQUIRE((drive || text.starts_with("\\\\wsl$\\") || text.starts_with("//wsl$")));
  }
  CHECK(accepted > 1000);
}

}  // namespace
}  // namespace mxc::policy
