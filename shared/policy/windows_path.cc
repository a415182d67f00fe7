#include "shared/policy/windows_path.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

// The next character of UTF-8 text, taken off its front; nothing for malformed text: overlong forms, surrogates (also
// in the WTF-8 spelling of unpaired ones), above U+10FFFF.
std::optional<uint32_t> TakeCharacter(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  const size_t size = first < 0x80                    ? 1
                      : first >= 0xC2 && first < 0xE0 ? 2
                      : first >= 0xE0 && first < 0xF0 ? 3
                      : first >= 0xF0 && first < 0xF5 ? 4
                                                      : 0;
  if (size == 0 || size > text.size()) return std::nullopt;
  uint32_t code = size == 1 ? first : first & (0xFF >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
    code = code << 6 | (byte(i) & 0x3F);
  }
  if ((size == 3 && code < 0x800) || (size == 4 && (code < 0x10000 || code > 0x10FFFF))) return std::nullopt;
  if (code >= 0xD800 && code <= 0xDFFF) return std::nullopt;
  text.remove_prefix(size);
  return code;
}

// Why Windows or WSL would not take the character as itself; nullptr if both do.
const char* WhyNotCharacter(uint32_t code) {
  if (code == 0) return "a NUL";
  if (code < 0x20 || code == 0x7F) return "a control character";
  if (code < 0x80 && std::string_view("\"<>|*?").find(static_cast<char>(code)) != std::string_view::npos) {
    return "one of \" < > | * ?, which Windows allows in no name";
  }
  // WSL spells characters that NTFS can't hold as U+F000 plus their code, so one file would have two names.
  if (code >= 0xF000 && code <= 0xF0FF) return "a character of the range U+F000 to U+F0FF, which WSL turns into others";
  if ((code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069))
    return "a character that reverses the reading direction";
  return nullptr;
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

class Translator {
 public:
  Translator(std::string_view path, const WslTarget& target) : path_(path), target_(target) {}

  Result<std::string> Run() {
    MXC_TRY(CheckCharacters());
    std::string_view rest = text_;
    if (rest.starts_with(R"(\\?\)")) {
      // Windows takes this spelling letter by letter: a / in it would be part of a name.
      if (path_.find('/') != std::string_view::npos) return Invalid(R"(mixes \\?\ with /)");
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
      return Invalid("it is relative to the drive's current folder; write X:\\ in front");
    return Invalid("it is not an absolute path");
  }

 private:
  static bool StartsWithDrive(std::string_view text) {
    return text.size() >= 3 && IsLetter(text[0]) && text[1] == ':' && text[2] == '\\';
  }

  Error Fail(Code code, const std::string& why) const {
    std::string shown;
    for (char c : path_.substr(0, 200)) shown += c >= 0 && c < 0x20 ? '?' : c;
    return Error(code, "Windows path \"" + shown + "\": " + why);
  }
  Error Invalid(const std::string& why) const {
    return Fail(Code::kInvalid, why).WithHint(R"(write it as C:\folder\name, without . or ..)");
  }
  Error Refused(const std::string& why) const {
    return Fail(Code::kRefused, why)
        .WithHint(R"(name a drive's path, C:\folder, or the distribution's own, \\wsl.localhost\NAME\folder)");
  }

  // Also fills text_, with every / turned into \.
  Result<void> CheckCharacters() {
    text_.assign(path_);
    std::string_view rest = text_;
    // The ? of \\?\ and \??\ is syntax, looked at by Run.
    if (rest.starts_with(R"(\\?\)") || rest.starts_with(R"(\??\)")) rest.remove_prefix(4);
    while (!rest.empty()) {
      const auto code = TakeCharacter(rest);
      if (!code) return Invalid("it is not well-formed UTF-8 (an unpaired surrogate?)");
      if (const char* why = WhyNotCharacter(*code)) return Invalid(std::string("it holds ") + why);
    }
    std::replace(text_.begin(), text_.end(), '/', '\\');
    return {};
  }

  Result<std::string> Drive(std::string_view text) const {
    std::string root = MXC_TRY_AS("automount root", Normalise(target_.automount_root));
    std::string linux_path = Join(root, std::string(1, Lower(text[0])));
    MXC_TRY(AppendComponents(text.substr(3), linux_path));
    return linux_path;
  }

  Result<std::string> Share(std::string_view text) const {
    const std::string_view server = Take(text);
    if (!EqualsIgnoringAsciiCase(server, "wsl.localhost") && !EqualsIgnoringAsciiCase(server, "wsl$")) {
      return Refused("it lies on a network share");
    }
    const std::string_view distro = Take(text);
    if (target_.distro.empty()) return Refused("it names a distribution, and which one runs this is not known");
    if (!EqualsIgnoringAsciiCase(distro, target_.distro)) {
      return Refused("it lies in the distribution \"" + std::string(distro) + "\"; this one is \"" + target_.distro +
                     "\"");
    }
    std::string linux_path;
    MXC_TRY(AppendComponents(text, linux_path));
    if (linux_path.empty()) linux_path = "/";
    // A drive through the distribution's door: the drive's own spelling is the one that is checked on Windows.
    const std::string root = MXC_TRY_AS("automount root", Normalise(target_.automount_root));
    for (char drive = 'a'; drive <= 'z'; ++drive) {
      if (IsWithin(linux_path, Join(root, std::string(1, drive))))
        return Refused(R"(it leads to a Windows drive; write it as X:\…)");
    }
    return linux_path;
  }

  // Cuts the first component off `text`, with its separator.
  static std::string_view Take(std::string_view& text) {
    const size_t end = std::min(text.find('\\'), text.size());
    const std::string_view name = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return name;
  }

  Result<void> AppendComponents(std::string_view text, std::string& linux_path) const {
    while (!text.empty()) {
      const std::string_view name = Take(text);
      MXC_TRY(CheckName(name));
      linux_path += '/';
      linux_path += name;
    }
    if (linux_path.size() > kMaxPathBytes) return Invalid("it is longer than the 4095 bytes that Linux takes");
    return {};
  }

  Result<void> CheckName(std::string_view name) const {
    if (name.empty()) return Invalid("it has two separators in a row");
    if (name == "." || name == "..") return Invalid("it has a \"" + std::string(name) + "\" in it");
    if (name.find(':') != std::string_view::npos)
      return Invalid("it has a : in a name, which opens a stream of the file");
    if (name.back() == '.' || name.back() == ' ')
      return Invalid("a name ends in a dot or space, which Windows cuts off");
    if (IsDeviceName(name)) return Invalid("\"" + std::string(name) + "\" is the name of a device");
    // 255 UTF-16 units are NTFS's limit; none needs fewer bytes in UTF-8, so Linux's limit is the lower one.
    if (name.size() > kMaxNameBytes) return Invalid("a name is longer than 255 bytes");
    return {};
  }

  std::string_view path_;
  const WslTarget& target_;
  std::string text_;
};

}  // namespace

bool LooksLikeWindowsPath(std::string_view path) {
  return path.starts_with('\\') || (path.size() >= 2 && IsLetter(path[0]) && path[1] == ':');
}

Result<std::string> TranslateWindowsPath(std::string_view path, const WslTarget& target) {
  if (path.empty()) return Error(Code::kInvalid, "a Windows path is empty");
  return Translator(path, target).Run();
}

}  // namespace mxc::policy
