// The mount table of a distribution. Whatever it holds: the values of an entry, escaped again, are read as the same
// entry, and a mount that is taken for a drive shows the drive's root and has nothing on it or on the way to it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/relay/drive_mount.h"
#include "linux_runtime/relay/mountinfo.h"
#include "shared/policy/path_tree.h"

namespace mxc::relay {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    char octal[8];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned char>(c));
    escaped += c == ' ' || c == '\t' || c == '\n' || c == '\\' ? octal : std::string(1, c);
  }
  return escaped;
}

std::string Line(const MountEntry& entry) {
  return std::to_string(entry.id) + " " + std::to_string(entry.parent) + " " + std::to_string(entry.major) + ":" +
         std::to_string(entry.minor) + " " + Escape(entry.root) + " " + Escape(entry.mount_point) + " rw - " +
         Escape(entry.type) + " " + Escape(entry.source) + " " + entry.options + "\n";
}

// Where a path lookup ends that begins at the mount `at`: it enters whatever is mounted on the way. nullptr: unclear.
const MountEntry* Enter(const std::vector<MountEntry>& mounts, const MountEntry* at, const std::string& path) {
  for (size_t step = 0; step <= mounts.size(); ++step) {
    // The first child on the way, seen from the mount's own root.
    const MountEntry* next = nullptr;
    for (const MountEntry& child : mounts) {
      if (child.parent != at->id || &child == at) continue;
      if (!policy::IsWithin(child.mount_point, at->mount_point) || !policy::IsWithin(path, child.mount_point)) continue;
      if (next == nullptr || child.mount_point.size() < next->mount_point.size()) next = &child;
    }
    if (next == nullptr) return at;
    at = next;
  }
  return nullptr;
}

void CheckFound(const std::vector<MountEntry>& mounts, const MountEntry& found, char drive) {
  const std::vector<std::string> types = DriveTypes();
  Require(std::find(types.begin(), types.end(), found.type) != types.end() && found.root == "/");
  const std::string letter{drive, ':'}, small{static_cast<char>(drive + 'a' - 'A'), ':'};
  Require(found.source.starts_with(letter) || found.source.starts_with(small) ||
          found.options.find("path=" + letter) != std::string::npos ||
          found.options.find("path=" + small) != std::string::npos);
  const MountEntry* mount = FindMount(mounts, found.id);
  Require(mount != nullptr && *mount == found);
  const auto chain = ChainOf(mounts, *mount);
  Require(!chain.empty() && chain.back()->mount_point == "/");
  Require(Enter(mounts, chain.back(), found.mount_point) == mount);
}

void Run(std::string_view text) {
  const auto mounts = ParseMountinfo(text);
  if (!mounts.ok()) return;
  Require(mounts->size() <= static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  for (const MountEntry& entry : *mounts) {
    Require(entry.mount_point.starts_with('/') && entry.mount_point.find('\0') == std::string::npos);
    const auto again = ParseMountinfo(Line(entry));
    Require(again.ok() && again->size() == 1 && again->front() == entry);
    if (WhyHidden(*mounts, entry).empty()) Require(!ChainOf(*mounts, entry).empty());
  }
  for (char drive = 'A'; drive <= 'Z'; ++drive) {
    const auto found = FindDriveMount(*mounts, drive, DriveTypes());
    if (found.ok()) CheckFound(*mounts, *found, drive);
  }
}

}  // namespace
}  // namespace mxc::relay

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::relay::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
