#include "linux_runtime/relay/drive_mount.h"

#include <algorithm>

#include "shared/base/escape_text.h"

namespace mxc::relay {
namespace {

enum class Names { kNoDrive, kItsRoot, kOther };

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// What a source or the value of path= says about the drive.
Names NamedBy(std::string_view text, char drive) {
  if (text.size() < 2 || !IsLetter(text[0]) || text[1] != ':') return Names::kNoDrive;
  if (Upper(text[0]) != drive) return Names::kOther;
  const std::string_view rest = text.substr(2);
  return rest.empty() || rest == "\\" || rest == "/" ? Names::kItsRoot : Names::kOther;
}

// "" if the mount shows the drive's root, else why not; nullopt if it is no mount of the drive at all.
struct Judgement {
  bool concerned = false;
  std::string why_not;
};

Judgement Judge(const MountEntry& mount, char drive) {
  const Names source = NamedBy(mount.source, drive);
  bool by_option = false, contradicted = false;
  for (std::string_view rest = mount.options; !rest.empty();) {
    const size_t size = std::min(rest.find_first_of(",;"), rest.size());
    const std::string_view option = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    if (!option.starts_with("path=")) continue;
    std::string_view value = option.substr(5);
    // Written as it was given, this is the folder 134; a kernel that escapes options writes X:\ so. The source decides.
    if (source == Names::kItsRoot && value.size() == 6 && value.ends_with("\\134")) value.remove_suffix(3);
    (NamedBy(value, drive) == Names::kItsRoot ? by_option : contradicted) = true;
  }
  if (source == Names::kOther)
    return {by_option, by_option ? "its source and its option path= contradict each other" : ""};
  if (source == Names::kNoDrive && !by_option) return {};
  if (contradicted) return {true, "its source and its options path= contradict each other"};
  if (mount.root != "/") return {true, "it shows only " + EscapeText(mount.root, {.max_bytes = 200}) + " of the drive"};
  return {true, ""};
}

}  // namespace

std::vector<std::string> DriveTypes() { return {"9p", "drvfs", "virtiofs"}; }

Result<MountEntry> FindDriveMount(const std::vector<MountEntry>& mounts, char drive,
                                  const std::vector<std::string>& types) {
  std::string passed_over;
  for (const MountEntry& mount : mounts) {
    if (std::find(types.begin(), types.end(), mount.type) == types.end()) continue;
    Judgement judgement = Judge(mount, drive);
    if (!judgement.concerned) continue;
    if (judgement.why_not.empty()) judgement.why_not = WhyHidden(mounts, mount);
    if (judgement.why_not.empty()) return mount;
    passed_over += "; " + EscapeText(mount.mount_point, {.max_bytes = 200}) + " does not count: " + judgement.why_not;
  }
  std::string wanted;
  for (const std::string& type : types) wanted += (wanted.empty() ? "" : ", ") + type;
  const std::string root = std::string(1, drive) + ":\\";
  return Error(Code::kRefused, "no mount of this distribution shows the drive " + root +
                                   " (looked for a mount of type " + wanted + " with " + root +
                                   " as its source or its option path=" + passed_over + ")")
      .WithHint("turn on [automount] in /etc/wsl.conf and restart the distribution, or: mount -t drvfs '" + root +
                "' FOLDER");
}

}  // namespace mxc::relay
