#include "shared/policy/windows_guard.h"

#include <algorithm>
#include <string_view>

#include "shared/base/escape_text.h"

namespace mxc::policy {
namespace {

struct Name {
  std::string_view name, what;
};

constexpr Name kSystemFolders[] = {
    {"Windows", "the Windows folder"},
    {"Windows.old", "an earlier Windows"},
    {"WinNT", "the Windows folder"},
    {"Program Files", "a folder of installed programs"},
    {"Program Files (x86)", "a folder of installed programs"},
    {"Program Files (Arm)", "a folder of installed programs"},
    {"ProgramData", "the folder of all users' program data"},
    {"$Recycle.Bin", "the recycler of every user"},
    {"System Volume Information", "a folder of the system"},
    {"Recovery", "a folder of the system"},
    {"Boot", "a folder of the system"},
    {"EFI", "a folder of the system"},
};

// Where profiles lie. The second is a link of Windows to the first.
constexpr std::string_view kProfileFolders[] = {"Users", "Documents and Settings"};

constexpr Name kAnywhere[] = {
    {"AppData", "the programs' data of a user, sign-ins and startup programs in it"},
    {"Application Data", "the programs' data of a user, by its old name"},
    {"Local Settings", "the programs' data of a user, by its old name"},
    {"Start Menu", "the start menu with its startup folder"},
    {".ssh", "a folder of SSH keys"},
    {".aws", "a folder of AWS credentials"},
    {".azure", "a folder of Azure credentials"},
    {".gnupg", "a folder of GnuPG keys"},
    {".kube", "a folder of Kubernetes credentials"},
    {".docker", "a folder of Docker credentials"},
};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

DrivePath Front(const DrivePath& path, size_t count) {
  const auto begin = path.components.begin();
  return {path.drive, {begin, begin + static_cast<std::ptrdiff_t>(count)}};
}

bool IsProfileFolder(std::string_view name) {
  return std::any_of(std::begin(kProfileFolders), std::end(kProfileFolders),
                     [&](std::string_view folder) { return Same(name, folder); });
}

std::string Shown(const DrivePath& path) { return EscapeText(WindowsText(path), {.max_bytes = 200}); }

}  // namespace

bool IsWithinIgnoringAsciiCase(const DrivePath& path, const DrivePath& ancestor) {
  return Lower(path.drive) == Lower(ancestor.drive) && path.components.size() >= ancestor.components.size() &&
         std::equal(ancestor.components.begin(), ancestor.components.end(), path.components.begin(), Same);
}

std::vector<GuardedPlace> GuardsOf(const DrivePath& path, std::span<const GuardedPlace> machine) {
  std::vector<GuardedPlace> guards;
  const auto& names = path.components;
  if (names.empty()) guards.push_back({path, "a whole drive"});
  if (!names.empty()) {
    for (const Name& folder : kSystemFolders) {
      if (Same(names[0], folder.name)) guards.push_back({Front(path, 1), std::string(folder.what)});
    }
    if (IsProfileFolder(names[0])) {
      if (names.size() == 1) guards.push_back({path, "the folder of all users' profiles"});
      if (names.size() == 2) guards.push_back({path, "the root of a user's profile"});
      // A link of Windows to ProgramData.
      if (names.size() > 2 && Same(names[1], "All Users")) {
        guards.push_back({Front(path, 2), "the folder of all users' program data"});
      }
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    for (const Name& folder : kAnywhere) {
      if (Same(names[i], folder.name)) guards.push_back({Front(path, i + 1), std::string(folder.what)});
    }
  }
  for (const GuardedPlace& place : machine) {
    if (IsWithinIgnoringAsciiCase(path, place.path)) {
      guards.push_back(place);
    } else if (IsWithinIgnoringAsciiCase(place.path, path)) {
      guards.push_back({path, "a folder above " + place.what});
    }
  }
  std::stable_sort(guards.begin(), guards.end(), [](const GuardedPlace& a, const GuardedPlace& b) {
    return a.path.components.size() < b.path.components.size();
  });
  return guards;
}

Result<void> CheckUnguarded(const DrivePath& path, std::span<const DrivePath> opened,
                            std::span<const GuardedPlace> machine) {
  for (const GuardedPlace& guard : GuardsOf(path, machine)) {
    const bool open = std::any_of(opened.begin(), opened.end(), [&](const DrivePath& named) {
      return IsWithinIgnoringAsciiCase(named, guard.path) && IsWithinIgnoringAsciiCase(path, named);
    });
    if (open) continue;
    const bool itself = path.components.size() == guard.path.components.size();
    const std::string which = itself ? "is " + guard.what : "lies in " + Shown(guard.path) + ", " + guard.what;
    return Error(Code::kRefused, Shown(path) + " " + which + ", and the policy does not open it by name")
        .WithHint("grant a folder that holds the work only, or have the policy name " + Shown(guard.path) +
                  " as a guarded place that it opens");
  }
  return {};
}

}  // namespace mxc::policy
