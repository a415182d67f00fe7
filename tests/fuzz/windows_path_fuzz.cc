// Where a Windows path leads. Whatever is accepted has no component that Windows would interpret, and its text form
// leads to the same place again; the guard of a place holds for everything below it.
//
// Input: a path, and behind a line end the names that are checked as the components of drive C, one a line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "shared/policy/path_tree.h"
#include "shared/policy/windows_guard.h"
#include "shared/policy/windows_path.h"

namespace mxc::policy {
namespace {

const WslTarget kTarget{"/win drives", "Debian"};

void Require(bool holds) {
  if (!holds) std::abort();
}

// Another spelling of the rule: the stem in lower case is one of these words.
bool IsDevice(std::string_view name) {
  std::string stem(name.substr(0, name.find_first_of(". ")));
  for (char& c : stem) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  if (stem.size() < 4) return stem == "con" || stem == "prn" || stem == "aux" || stem == "nul";
  if (stem == "conin$" || stem == "conout$" || stem == "clock$") return true;
  if (!stem.starts_with("com") && !stem.starts_with("lpt")) return false;
  const std::string digit = stem.substr(3);
  return (digit.size() == 1 && digit >= "0" && digit <= "9") || digit == "\u00b9" || digit == "\u00b2" ||
         digit == "\u00b3";
}

void RequirePlain(std::string_view name) {
  Require(!IsDevice(name));
  Require(!name.empty() && name != "." && name != ".." && name.size() <= kMaxNameBytes);
  Require(name.back() != '.' && name.back() != ' ');
  Require(std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte != 0x7F && std::string_view("\"<>|*?:/\\").find(c) == std::string_view::npos;
  }));
  // U+F000 to U+F0FF and the two ranges of controls of direction, as UTF-8 has them.
  for (size_t i = 0; i + 2 < name.size(); ++i) {
    const auto byte = [&](size_t at) { return static_cast<unsigned char>(name[at]); };
    Require(byte(i) != 0xEF || byte(i + 1) < 0x80 || byte(i + 1) > 0x83);
    Require(byte(i) != 0xE2 || byte(i + 1) != 0x80 || byte(i + 2) < 0xAA || byte(i + 2) > 0xAE);
    Require(byte(i) != 0xE2 || byte(i + 1) != 0x81 || byte(i + 2) < 0xA6 || byte(i + 2) > 0xA9);
  }
}

void CheckDrive(const DrivePath& path) {
  Require(path.drive >= 'A' && path.drive <= 'Z' && CheckDrivePath(path).ok());
  for (const std::string& name : path.components) RequirePlain(name);
  for (const std::string& text : {WindowsText(path), "\\\\?\\" + WindowsText(path)}) {
    const auto again = ParseWindowsPath(text, kTarget);
    Require(again.ok() && *again == WindowsPlace(path));
  }
  const auto guards = GuardsOf(path);
  Require(CheckUnguarded(path, {}).ok() == guards.empty());
  for (const GuardedPlace& guard : guards) {
    Require(IsWithinIgnoringAsciiCase(path, guard.path) && !GuardsOf(guard.path).empty());
  }
}

void Run(std::string_view input) {
  const size_t end = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(0, end);
  const auto place = ParseWindowsPath(text, kTarget);
  const auto translated = TranslateWindowsPath(text, kTarget);
  Require(place.ok() || !place.error().message().empty());
  if (translated.ok()) Require(place.ok() && IsNormal(*translated));
  if (place.ok()) {
    if (const auto* drive = std::get_if<DrivePath>(&*place)) {
      CheckDrive(*drive);
      const auto again = TranslateWindowsPath(WindowsText(*drive), kTarget);
      Require(again.ok() == translated.ok() && (!again.ok() || *again == *translated));
    } else {
      const std::string& path = std::get<DistroPath>(*place).path;
      Require(translated.ok() && *translated == path);
      const auto again = ParseWindowsPath("\\\\wsl.localhost\\Debian" + path, kTarget);
      Require(again.ok() && *again == *place);
    }
  }
  DrivePath parts;
  for (std::string_view rest = input.substr(end); !rest.empty();) {
    rest.remove_prefix(1);
    const size_t size = std::min(rest.find('\n'), rest.size());
    parts.components.emplace_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  if (CheckDrivePath(parts).ok()) CheckDrive(parts);
}

}  // namespace
}  // namespace mxc::policy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::policy::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
