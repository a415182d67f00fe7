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
      {"C:\\ a\\com\xE2\x81\xB4", "/mnt/c/ a/com\xE2\x81\xB4"},  // of the superscripts, ¹²³ alone make devices
      // The wide colon is a name's character, and stays the one that it is.
      {"C:\\a\xEF\xBC\x9A", "/mnt/c/a\xEF\xBC\x9A"},
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

std::vector<std::string> ComponentsOf(std::string_view text) {
  const auto place = ParseWindowsPath(text, kDebian);
  REQUIRE_MESSAGE(place.ok(), place.error().message());
  const auto* drive = std::get_if<DrivePath>(&*place);
  REQUIRE(drive != nullptr);
  return drive->components;
}

TEST_CASE("a path leads to a drive or into the distribution") {
  CHECK(*ParseWindowsPath(R"(c:\Proj\a b)", kDebian) == WindowsPlace(DrivePath{'C', {"Proj", "a b"}}));
  CHECK(*ParseWindowsPath(R"(\\?\z:\x\)", kDebian) == WindowsPlace(DrivePath{'Z', {"x"}}));
  CHECK(*ParseWindowsPath("d:/", kDebian) == WindowsPlace(DrivePath{'D', {}}));
  CHECK(*ParseWindowsPath(R"(\\wsl$\DEBIAN\home\u)", kDebian) == WindowsPlace(DistroPath{"/home/u"}));
  CHECK(*ParseWindowsPath(R"(\\wsl.localhost\Debian)", kDebian) == WindowsPlace(DistroPath{"/"}));
}

// The attacks of which text decides nothing: it accepts them, and keeps apart what may be one object. The object's
// final path and its file id settle them on Windows.
TEST_CASE("what depends on the object is left as it is") {
  CHECK(ComponentsOf(R"(C:\PROGRA~1)") == std::vector<std::string>{"PROGRA~1"});  // a short name
  CHECK(ComponentsOf(R"(C:\proj\link\x)").size() == 3);                           // a junction or a symbolic link
  CHECK(ComponentsOf(R"(S:\x)").size() == 1);                                     // a drive that subst made
  CHECK(ComponentsOf(R"(C:\volumes\d\x)").size() == 3);                       // a folder with a volume mounted on it
  CHECK(ComponentsOf(R"(C:\dir\A)") != ComponentsOf(R"(C:\dir\a)"));          // a case-sensitive folder, or none
  CHECK(ComponentsOf("C:\\\xC3\xA9") != ComponentsOf("C:\\e\xCC\x81"));       // composed and decomposed
  CHECK(ComponentsOf("C:\\\xEF\xAC\x81") != ComponentsOf("C:\\fi"));          // a ligature
  CHECK(ComponentsOf("C:\\\xC4\xB0\\\xC4\xB1") != ComponentsOf("C:\\I\\i"));  // the two i of Turkish
  CHECK(ComponentsOf("C:\\\xE2\x84\xAA") != ComponentsOf("C:\\K"));           // the Kelvin sign
}

TEST_CASE("the message says which component is at fault") {
  const struct {
    const char *in, *message;
  } table[] = {
      {R"(C:\proj\nul.txt\x)", R"(component 2, "nul.txt", is the name of a device)"},
      {R"(\\?\C:\proj\..\x)", R"(component 2, "..", would be resolved)"},
      {R"(\\wsl$\Debian\home\a:b)", R"(component 2, "a:b", holds a :)"},
      {R"(C:\a\\b)", "component 2 is empty"},
      {"C:\\ok\\a\xEF\x80\xBA", "component 2, \"a\xEF\x80\xBA\", holds U+F03A"},
      {"C:\\a\x1B[2J", R"(component 1, "a\x1b[2J", holds a control character, U+001B)"},
      {"C:\\a\xFF\\b", R"(component 1, "a\xff", is not well-formed UTF-8)"},
      {"C:\\x\\txt\xE2\x80\xAE", R"(component 2, "txt\u{202e}", holds U+202E)"},
  };
  for (const auto& row : table) {
    CAPTURE(row.in);
    const auto got = ParseWindowsPath(row.in, kDebian);
    REQUIRE_FALSE(got.ok());
    CAPTURE(got.error().message());
    CHECK(got.error().message().find(row.message) != std::string::npos);
    CHECK_FALSE(got.error().hint().empty());
  }
}

TEST_CASE("a place that comes from elsewhere is checked by the same rules") {
  CHECK(CheckDrivePath({'C', {}}).ok());
  CHECK(CheckDrivePath({'C', {"proj", "a b", "\xC3\xA9"}}).ok());
  CHECK(WindowsText({'C', {}}) == "C:\\");
  CHECK(WindowsText({'D', {"a", "b"}}) == R"(D:\a\b)");
  const DrivePath bad[] = {
      {'c', {"x"}},
      {'1', {"x"}},
      {'/', {"x"}},
      {'\0', {"x"}},
      {'C', {""}},
      {'C', {"x", ""}},
      {'C', {"", "x"}},
      {'C', {"."}},
      {'C', {".."}},
      {'C', {"a/b"}},
      {'C', {"a\\b"}},
      {'C', {"a", "../b"}},
      {'C', {"x", "nul"}},
      {'C', {"x:y"}},
      {'C', {"x."}},
      {'C', {"\xFF"}},
      {'C', {std::string("a\0", 2)}},
      {'C', {std::string(256, 'n')}},
      {'C', std::vector<std::string>(2048, "a")},
      {'C', {R"(C:\x)"}},
  };
  for (const DrivePath& path : bad) {
    CAPTURE(WindowsText(path));
    CHECK_FALSE(CheckDrivePath(path).ok());
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
      {R"(\\?\C:\proj\.)", "\".\""},
      {R"(//wsl.localhost/Debian/../x)", "\"..\""},
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
      {R"(C:\proj\x::$DATA)", "stream"},
      {R"(C:\D:\x)", "stream"},
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
      {R"(\\?\proj\x)", "only"},
      {R"(\\?\\C:\x)", "only"},
      {R"(\\?\wsl.localhost\Debian\x)", "only"},
      {R"(\\?\unc\localhost\c$\x)", "only"},
      {R"(\\.\UNC\localhost\c$\x)", "device"},
      {R"(\\.\pipe\x)", "device"},
      {R"(\\?)", "network share"},
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
      {R"(\\wsl$\Debian\mnt\c)", "drive"},
      {"C:\\a\xEF\x80\x80\\etc", "U+F000"},
      {"C:\\a\xEF\x80\xBA"
       "b",
       "U+F000"},
      {"C:\\a\xEF\x81\x9C"
       "b",
       "U+F000"},
      {"C:\\a\xEF\xBC\x9A\xEF\x82\x80", "U+F080"},
      {"C:\\\xEF\x83\xBF", "U+F0FF"},
      {"C:\\a\xED\xA0\x80", "surrogate"},
      {"C:\\a\xED\xB0\x80\\b", "surrogate"},
      {"C:\\a\xED\xA0\xBD\xED\xB0\xA7", "surrogate"},  // a pair spelled as two characters: CESU-8
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
             std::string name;  // 300 bytes that are 100 UTF-16 units
             for (int i = 0; i < 100; ++i) name += "\xE2\x82\xAC";
             return name;
           }(),
       "255"},
      {"C:\\" + std::string(255, 'n') + "\\" + std::string(256, 'n'), "component 2"},
      {"C:" +
           [] {
             std::string names;
             for (int i = 0; i < 2100; ++i) names += "\\a";
             return names;
           }(),
       "4095"},
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
    const auto place = ParseWindowsPath(text, kDebian);
    if (const auto* drive_path = std::get_if<DrivePath>(&*place)) {
      REQUIRE(CheckDrivePath(*drive_path).ok());
      REQUIRE(*TranslateWindowsPath(WindowsText(*drive_path), kDebian) == *got);
    }
    const bool drive = IsWithin(*got, "/mnt/c") || IsWithin(*got, "/mnt/a");
    REQUIRE((drive || text.starts_with("\\\\wsl$\\") || text.starts_with("//wsl$")));
  }
  CHECK(accepted > 1000);
}

}  // namespace
}  // namespace mxc::policy
