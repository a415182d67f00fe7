#include "shared/policy/windows_guard.h"

#include <doctest/doctest.h>

namespace mxc::policy {
namespace {

DrivePath Path(std::string_view text) {
  const auto place = ParseWindowsPath(text, {});
  REQUIRE_MESSAGE(place.ok(), place.error().message());
  return std::get<DrivePath>(*place);
}

TEST_CASE("what is refused unless it is named") {
  const struct {
    const char *path, *guard, *why;
  } table[] = {
      {R"(C:\)", R"(C:\)", "whole drive"},
      {R"(D:\)", R"(D:\)", "whole drive"},
      {R"(C:\Windows)", R"(C:\Windows)", "Windows folder"},
      {R"(C:\wINDOWS\System32\config\SAM)", R"(C:\wINDOWS)", "Windows folder"},
      {R"(E:\WINDOWS\x)", R"(E:\WINDOWS)", "Windows folder"},
      {R"(C:\Windows.old\x)", R"(C:\Windows.old)", "earlier Windows"},
      {R"(C:\Program Files\x)", R"(C:\Program Files)", "installed programs"},
      {R"(C:\PROGRAM FILES (X86))", R"(C:\PROGRAM FILES (X86))", "installed programs"},
      {R"(C:\ProgramData\ssh)", R"(C:\ProgramData)", "program data"},
      {R"(C:\$Recycle.Bin\S-1-5-18)", R"(C:\$Recycle.Bin)", "recycler"},
      {R"(C:\System Volume Information)", R"(C:\System Volume Information)", "system"},
      {R"(C:\Users)", R"(C:\Users)", "all users' profiles"},
      {R"(C:\Users\me)", R"(C:\Users\me)", "profile"},
      {R"(c:\USERS\Public)", R"(C:\USERS\Public)", "profile"},
      {R"(C:\Documents and Settings\me)", R"(C:\Documents and Settings\me)", "profile"},
      {R"(C:\Users\All Users\x)", R"(C:\Users\All Users)", "program data"},
      {R"(C:\Users\me\AppData)", R"(C:\Users\me\AppData)", "programs' data"},
      {R"(C:\Users\me\appdata\Local\Packages\Debian\LocalState\ext4.vhdx)", R"(C:\Users\me\appdata)", "programs' data"},
      {R"(C:\Users\me\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup)", R"(C:\Users\me\AppData)",
       "startup"},
      {R"(C:\Users\me\Local Settings\x)", R"(C:\Users\me\Local Settings)", "old name"},
      {R"(C:\Users\me\Start Menu)", R"(C:\Users\me\Start Menu)", "startup"},
      {R"(C:\Users\me\.ssh\id_ed25519)", R"(C:\Users\me\.ssh)", "SSH"},
      {R"(C:\Users\me\.SSH)", R"(C:\Users\me\.SSH)", "SSH"},
      {R"(D:\profiles\me\.aws)", R"(D:\profiles\me\.aws)", "AWS"},
      {R"(C:\Users\me\.azure\x)", R"(C:\Users\me\.azure)", "Azure"},
      {R"(C:\Users\me\.gnupg)", R"(C:\Users\me\.gnupg)", "GnuPG"},
      {R"(C:\Users\me\.kube\config)", R"(C:\Users\me\.kube)", "Kubernetes"},
      {R"(C:\Users\me\.docker\config.json)", R"(C:\Users\me\.docker)", "Docker"},
  };
  for (const auto& row : table) {
    CAPTURE(row.path);
    const DrivePath path = Path(row.path);
    const auto guards = GuardsOf(path);
    REQUIRE_FALSE(guards.empty());
    CHECK(WindowsText(guards[0].path) == row.guard);
    CHECK(guards[0].what.find(row.why) != std::string::npos);
    const auto refused = CheckUnguarded(path, {});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code() == Code::kRefused);
    CHECK(refused.error().message().find(row.why) != std::string::npos);
    CHECK_FALSE(refused.error().hint().empty());
    std::vector<DrivePath> opened;
    opened.reserve(guards.size());
    for (const GuardedPlace& guard : guards) opened.push_back(guard.path);
    CHECK(CheckUnguarded(path, opened).ok());
  }
}

TEST_CASE("what is granted as any other") {
  for (const char* path : {
           R"(C:\proj)",
           R"(C:\Windows2)",
           R"(C:\src\Windows)",
           R"(C:\src\Program Files\x)",
           R"(C:\Users\me\src)",
           R"(C:\Users\me\.sshd\x)",
           R"(C:\Users\me\x.ssh)",
           R"(D:\data)",
           // Depends on the object: a short name is found out by its final path.
           R"(C:\PROGRA~1)",
           // ı, İ, ſ and the Kelvin sign are letters of their own to NTFS.
           "C:\\W\u0131ndows",
           "C:\\U\u017Fers\\me\\x",
           "C:\\W\u0130NDOWS",
           "C:\\Users\\me\\.\u212Aube",
       }) {
    CAPTURE(path);
    CHECK(GuardsOf(Path(path)).empty());
    CHECK(CheckUnguarded(Path(path), {}).ok());
  }
}

TEST_CASE("only its own name opens a guarded place") {
  const DrivePath key = Path(R"(C:\Users\me\.ssh\id_ed25519)");
  const auto opens = [](const DrivePath& path, std::vector<DrivePath> opened) {
    return CheckUnguarded(path, opened).ok();
  };
  CHECK(opens(key, {Path(R"(c:\users\ME\.SSH)")}));
  CHECK(opens(key, {key}));
  CHECK_FALSE(opens(key, {Path(R"(C:\Users\me)")}));
  CHECK_FALSE(opens(key, {Path(R"(C:\)")}));
  CHECK_FALSE(opens(key, {Path(R"(D:\Users\me\.ssh)")}));
  CHECK_FALSE(opens(key, {Path(R"(C:\Users\me\.ssh\config)")}));
  CHECK(opens(Path(R"(C:\)"), {Path(R"(C:\)")}));
  CHECK_FALSE(opens(Path(R"(C:\Windows)"), {Path(R"(C:\)")}));
  CHECK_FALSE(opens(Path(R"(C:\)"), {Path(R"(C:\Windows)")}));
  // Two guards: each is opened by itself.
  const DrivePath both = Path(R"(C:\Users\me\AppData\x\.ssh\key)");
  CHECK_FALSE(opens(both, {Path(R"(C:\Users\me\AppData)")}));
  CHECK(opens(both, {Path(R"(C:\Users\me\AppData)"), Path(R"(C:\Users\me\AppData\x\.ssh)")}));
  CHECK(opens(both, {Path(R"(C:\Users\me\AppData\x\.ssh)")}));
}

TEST_CASE("a machine has places of its own") {
  const GuardedPlace machine[] = {{Path(R"(D:\wsl\Debian)"), "the disk of a distribution"}};
  CHECK(GuardsOf(Path(R"(D:\WSL\debian\ext4.vhdx)"), machine).size() == 1);
  const auto above = CheckUnguarded(Path(R"(D:\wsl)"), {}, machine);
  REQUIRE_FALSE(above.ok());
  CHECK(above.error().message().find("above the disk") != std::string::npos);
  CHECK(CheckUnguarded(Path(R"(D:\wsl2)"), {}, machine).ok());
  CHECK(CheckUnguarded(Path(R"(D:\wsl\Other)"), {}, machine).ok());
}

}  // namespace
}  // namespace mxc::policy
