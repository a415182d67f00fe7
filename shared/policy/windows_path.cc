#include "shared/policy/windows_path.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "shared/base/escape_text.h"
#include "shared/base/utf8.h"
#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

constexpr size_t kShownBytes = 200;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string Quoted(std::string_view text) { return "\"" + EscapeText(text, {.max_bytes = kShownBytes}) + "\""; }

std::string CodePoint(char32_t code) {
  char text[16];
  std::snprintf(text, sizeof text, "U+%04X", static_cast<unsigned>(code));
  return text;
}

// What a name with this character "holds" that Windows or WSL would not take as itself; "" if both do.
std::string WhyNotCharacter(char32_t code) {
  if (code == 0) return "a NUL";
  if (code < 0x20 || code == 0x7F) return "a control character, " + CodePoint(code);
  if (code < 0x80 && std::string_view("\"<>|*?").find(static_cast<char>(code)) != std::string_view::npos) {
    return "one of \" < > | * ?, which Windows allows in no name";
  }
  // WSL spells characters that NTFS can't hold as U+F000 plus their code, so one file would have two names.
  if (code >= 0xF000 && code <= 0xF0FF) {
    return CodePoint(code) + ", of the range U+F000 to U+F0FF that WSL turns into other characters";
  }
  if ((code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) {
    return CodePoint(code) + ", which reverses the reading direction";
  }
  return "";
}

// CON, NUL, COM1 … name devices in every folder, with any extension behind (Microsoft, "Naming Files, Paths, and
// Namespaces"); the superscript digits ¹²³ count as digits.
bool IsDeviceName(std::string_view name) {
  name = name.substr(0, name.find_first_of(". "));
  for (std::string_view device : {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}) {
    if (EqualsIgnoringAsciiCase(name, device)) return true;
  }
  const std::string_view stem = name.substr(0, 3);
  if (!EqualsIgnoringAsciiCase(stem, "com") && !EqualsIgnoringAsciiCase(stem, "lpt")) return false;
  const std::string_view digit = name.substr(stem.size());
  return (digit.size() == 1 && digit[0] >= '0' && digit[0] <= '9') || digit == "\xC2\xB9" || digit == "\xC2\xB2" ||
         digit == "\xC2\xB3";
}

struct Complaint {
  std::string what;  // behind `component 2, "x", `
  const char* hint;
};

std::optional<Complaint> WhyNotName(std::string_view name) {
  constexpr const char* kRename = "rename it, or grant the folder above it";
  if (name == "." || name == "..") {
    return Complaint{"would be resolved by whoever opens the path", "write out the folder that it leads to"};
  }
  for (std::string_view rest = name; !rest.empty();) {
    const Utf8Char character = DecodeUtf8(rest);
    if (!character.valid) return Complaint{"is not well-formed UTF-8 (an unpaired surrogate?)", kRename};
    if (std::string why = WhyNotCharacter(character.code); !why.empty()) return Complaint{"holds " + why, kRename};
    rest.remove_prefix(character.size);
  }
  if (name.find(':') != std::string_view::npos) {
    return Complaint{"holds a :, which opens a stream of the file", "leave out the : and what is behind it"};
  }
  if (name.back() == '.' || name.back() == ' ') {
    return Complaint{"ends in a dot or space, which Windows cuts off", "leave out the dots and spaces at its end"};
  }
  if (IsDeviceName(name)) return Complaint{"is the name of a device, with any extension", kRename};
  // NTFS takes 255 UTF-16 units. No text has fewer bytes in UTF-8 than units, so Linux's limit is the lower one.
  if (name.size() > kMaxNameBytes) {
    return Complaint{"has " + std::to_string(name.size()) + " bytes in UTF-8; Linux takes 255", kRename};
  }
  return std::nullopt;
}

class Parser {
 public:
  Parser(std::string_view path, const WslTarget& target) : path_(path), target_(target), text_(path) {
    std::replace(text_.begin(), text_.end(), '/', '\\');
  }

  Result<WindowsPlace> Run() const {
    std::string_view rest = text_;
    if (rest.empty()) return Error(Code::kInvalid, "a Windows path is empty");
    if (rest.starts_with(R"(\\?\)")) {
      // Windows takes this spelling letter by letter: a / in it would be part of a name.
      if (path_.find('/') != std::string_view::npos) return Invalid(R"(it mixes \\?\ with /)");
      rest.remove_prefix(4);
      if (!StartsWithDrive(rest))
        return Refused(R"(only \\?\X:\… is taken; volumes, devices and shares behind \\?\ are not)");
      return Drive(rest);
    }
    if (rest.starts_with(R"(\\.\)") || rest.starts_with(R"(\??\)")) return Refused("it names a device, not a file");
    if (rest.starts_with(R"(\\)")) return Share(rest.substr(2));
    if (rest.starts_with(R"(\)")) return Invalid("it has no drive, so what it means depends on where Windows stands");
    if (StartsWithDrive(rest)) return Drive(rest);
    if (rest.size() >= 2 && rest[1] == ':')
      return Invalid(R"(it is relative to the drive's current folder; write X:\ in front)");
    return Invalid("it is not an absolute path");
  }

  Error TooLong() const {
    return Fail(Code::kInvalid, "it is longer than the 4095 bytes that Linux takes")
        .WithHint("grant a folder above it");
  }

 private:
  static bool StartsWithDrive(std::string_view text) {
    return text.size() >= 3 && IsLetter(text[0]) && text[1] == ':' && text[2] == '\\';
  }

  Error Fail(Code code, const std::string& why) const {
    return Error(code, "Windows path " + Quoted(path_) + ": " + why);
  }
  Error Invalid(const std::string& why) const {
    return Fail(Code::kInvalid, why).WithHint(R"(write it as C:\folder\name, without . or ..)");
  }
  Error Refused(const std::string& why) const {
    return Fail(Code::kRefused, why)
        .WithHint(R"(name a drive's path, C:\folder, or the distribution's own, \\wsl.localhost\NAME\folder)");
  }

  Result<WindowsPlace> Drive(std::string_view text) const {
    DrivePath place;
    place.drive = Upper(text[0]);
    place.components = MXC_TRY(Components(text.substr(3)));
    return WindowsPlace(std::move(place));
  }

  Result<WindowsPlace> Share(std::string_view text) const {
    const std::string_view server = Take(text);
    if (!EqualsIgnoringAsciiCase(server, "wsl.localhost") && !EqualsIgnoringAsciiCase(server, "wsl$")) {
      return Refused("it lies on a network share");
    }
    const std::string_view distro = Take(text);
    if (target_.distro.empty()) return Refused("it names a distribution, and which one runs this is not known");
    if (!EqualsIgnoringAsciiCase(distro, target_.distro)) {
      return Refused("it lies in the distribution " + Quoted(distro) + "; this one is " + Quoted(target_.distro));
    }
    DistroPath place;
    for (const std::string& name : MXC_TRY(Components(text))) place.path += '/' + name;
    if (place.path.empty()) place.path = "/";
    // A drive through the distribution's door: the drive's own spelling is the one that is checked on Windows.
    const std::string root = MXC_TRY_AS("automount root", Normalise(target_.automount_root));
    for (char drive = 'a'; drive <= 'z'; ++drive) {
      if (IsWithin(place.path, Join(root, std::string(1, drive))))
        return Refused(R"(it leads to a Windows drive; write it as X:\…)");
    }
    return WindowsPlace(std::move(place));
  }

  // Cuts the first component off `text`, with its separator.
  static std::string_view Take(std::string_view& text) {
    const size_t end = std::min(text.find('\\'), text.size());
    const std::string_view name = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return name;
  }

  Result<std::vector<std::string>> Components(std::string_view text) const {
    std::vector<std::string> names;
    size_t bytes = 0;
    while (!text.empty()) {
      const std::string_view name = Take(text);
      const std::string which = "component " + std::to_string(names.size() + 1);
      if (name.empty()) return Invalid(which + " is empty: there are two separators in a row");
      if (auto complaint = WhyNotName(name)) {
        return Fail(Code::kInvalid, which + ", " + Quoted(name) + ", " + complaint->what).WithHint(complaint->hint);
      }
      bytes += 1 + name.size();
      names.emplace_back(name);
    }
    if (bytes > kMaxPathBytes) return TooLong();
    return names;
  }

  std::string_view path_;
  const WslTarget& target_;
  std::string text_;
};

}  // namespace

bool LooksLikeWindowsPath(std::string_view path) {
  return path.starts_with('\\') || (path.size() >= 2 && IsLetter(path[0]) && path[1] == ':');
}

Result<WindowsPlace> ParseWindowsPath(std::string_view path, const WslTarget& target) {
  return Parser(path, target).Run();
}

Result<std::string> TranslateWindowsPath(std::string_view path, const WslTarget& target) {
  const WindowsPlace place = MXC_TRY(ParseWindowsPath(path, target));
  if (const auto* distro = std::get_if<DistroPath>(&place)) return distro->path;
  const auto& drive = std::get<DrivePath>(place);
  const std::string root = MXC_TRY_AS("automount root", Normalise(target.automount_root));
  std::string linux_path = Join(root, std::string(1, Lower(drive.drive)));
  for (const std::string& name : drive.components) linux_path += '/' + name;
  if (linux_path.size() > kMaxPathBytes) return Parser(path, target).TooLong();
  return linux_path;
}

std::string WindowsText(const DrivePath& path) {
  std::string text{path.drive, ':'};
  for (const std::string& name : path.components) text += '\\' + name;
  if (path.components.empty()) text += '\\';
  return text;
}

Result<void> CheckDrivePath(const DrivePath& path) {
  const std::string text = WindowsText(path);
  const WindowsPlace place = MXC_TRY(ParseWindowsPath(text, {}));
  // Separators inside a component, an empty one at the end and a drive in lower case read as another place.
  if (place == WindowsPlace(path)) return {};
  return Error(Code::kInvalid, "the components of " + Quoted(text) + " are not the names of one path");
}

}  // namespace mxc::policy
