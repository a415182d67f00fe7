#include "linux_runtime/relay/mountinfo.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "shared/base/escape_text.h"
#include "shared/policy/path_tree.h"

namespace mxc::relay {
namespace {

// Cuts `text` at the first `end`, which goes too; all of it where there is none.
std::string_view Take(std::string_view& text, char end) {
  const size_t size = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return part;
}

template <class Number>
bool ReadNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsOctal(char c, char last) { return c >= '0' && c <= last; }

// Nothing: a backslash that begins no escape, where `strict`; a NUL.
std::optional<std::string> Unescape(std::string_view text, bool strict) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '\\') {
      const bool escape = at + 3 < text.size() && IsOctal(text[at + 1], '3') && IsOctal(text[at + 2], '7') &&
                          IsOctal(text[at + 3], '7');
      if (escape) {
        c = static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
        at += 3;
      } else if (strict) {
        return std::nullopt;
      }
    }
    if (c == '\0') return std::nullopt;
    plain += c;
  }
  return plain;
}

// 36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/root rw,errors=continue
std::optional<MountEntry> ParseLine(std::string_view line) {
  MountEntry entry;
  if (!ReadNumber(Take(line, ' '), entry.id) || !ReadNumber(Take(line, ' '), entry.parent)) return std::nullopt;
  std::string_view device = Take(line, ' ');
  if (!ReadNumber(Take(device, ':'), entry.major) || !ReadNumber(device, entry.minor)) return std::nullopt;
  const auto root = Unescape(Take(line, ' '), true);
  const auto mount_point = Unescape(Take(line, ' '), true);
  Take(line, ' ');  // the mount's own options
  for (std::string_view optional_field; (optional_field = Take(line, ' ')) != "-";) {
    if (optional_field.empty()) return std::nullopt;
  }
  const auto type = Unescape(Take(line, ' '), true);
  // A source may be empty; the blank behind it is there all the same.
  const auto source = Unescape(Take(line, ' '), false);
  if (!root || !mount_point || !type || !source) return std::nullopt;
  if (root->empty() || !mount_point->starts_with('/') || type->empty() || line.empty()) return std::nullopt;
  if (line.find('\0') != std::string_view::npos) return std::nullopt;
  entry.root = *root;
  entry.mount_point = *mount_point;
  entry.type = *type;
  entry.source = *source;
  entry.options = line;
  return entry;
}

std::string Covered(const char* where, const MountEntry& by) {
  return std::string(where) + " (" + EscapeText(by.type, {.max_bytes = 40}) + " at " +
         EscapeText(by.mount_point, {.max_bytes = 200}) + ")";
}

}  // namespace

Result<std::vector<MountEntry>> ParseMountinfo(std::string_view text) {
  std::vector<MountEntry> mounts;
  std::set<uint64_t> ids;
  for (size_t number = 1; !text.empty(); ++number) {
    auto entry = ParseLine(Take(text, '\n'));
    const std::string place = "mountinfo, line " + std::to_string(number);
    if (!entry) return Error(Code::kInvalid, place + ": not a line as the kernel writes them");
    if (!ids.insert(entry->id).second) {
      return Error(Code::kInvalid, place + ": a second mount with the id " + std::to_string(entry->id));
    }
    mounts.push_back(std::move(*entry));
  }
  return mounts;
}

const MountEntry* FindMount(const std::vector<MountEntry>& mounts, uint64_t id) {
  const auto found = std::find_if(mounts.begin(), mounts.end(), [id](const MountEntry& m) { return m.id == id; });
  return found == mounts.end() ? nullptr : &*found;
}

std::vector<const MountEntry*> ChainOf(const std::vector<MountEntry>& mounts, const MountEntry& mount) {
  std::vector<const MountEntry*> chain;
  for (const MountEntry* at = &mount; at != nullptr; at = FindMount(mounts, at->parent)) {
    // A child lies below its parent. Ids that go in a circle are no tree.
    if (!chain.empty() && !policy::IsWithin(chain.back()->mount_point, at->mount_point)) return {};
    chain.push_back(at);
    if (at->parent == at->id) break;
    if (chain.size() > mounts.size()) return {};
  }
  if (chain.back()->mount_point != "/") return {};
  return chain;
}

std::string WhyHidden(const std::vector<MountEntry>& mounts, const MountEntry& mount) {
  const std::vector<const MountEntry*> chain = ChainOf(mounts, mount);
  if (chain.empty()) return "no path of this process leads to it";
  const MountEntry* next = nullptr;  // on the way from `at` to the mount
  for (const MountEntry* at : chain) {
    for (const MountEntry& other : mounts) {
      if (other.parent != at->id || &other == at || &other == next) continue;
      if (other.mount_point == at->mount_point) {
        return next == nullptr ? Covered("something is mounted over it", other)
                               : Covered("something is mounted over a folder on the way to it", other);
      }
      if (next == nullptr || !policy::IsWithin(next->mount_point, other.mount_point)) continue;
      return Covered(other.mount_point == next->mount_point ? "something else is mounted on the same folder"
                                                            : "something is mounted over a folder on the way to it",
                     other);
    }
    next = at;
  }
  return "";
}

}  // namespace mxc::relay
