#include "linux_runtime/host/texts.h"

#include <charconv>

#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::host {
namespace {

constexpr size_t kMaxText = 1 << 20;

std::string_view Take(std::string_view& rest, char separator) {
  size_t end = rest.find(separator);
  std::string_view head = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return head;
}

template <class T>
std::optional<T> Parse(std::string_view text) {
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::pair<uint32_t, uint32_t>> KernelVersion(std::string_view release) {
  auto major = Parse<uint32_t>(Take(release, '.'));
  auto minor = Parse<uint32_t>(release.substr(0, release.find_first_not_of("0123456789")));
  if (!major || !minor) return std::nullopt;
  return std::pair(*major, *minor);
}

bool IsMicrosoftKernel(std::string_view release) {
  return release.find("microsoft") != std::string_view::npos || release.find("Microsoft") != std::string_view::npos ||
         release.find("WSL2") != std::string_view::npos;
}

bool IsWsl1Kernel(std::string_view release) {
  return release.starts_with("4.4.") && release.find("Microsoft") != std::string_view::npos;
}

namespace {

template <class Wanted>
std::optional<Account> FindAccountIf(std::string_view passwd, Wanted wanted) {
  while (!passwd.empty()) {
    std::string_view line = Take(passwd, '\n');
    std::string_view name = Take(line, ':');
    Take(line, ':');
    auto uid = Parse<uint32_t>(Take(line, ':'));
    auto gid = Parse<uint32_t>(Take(line, ':'));
    if (!uid || !gid || name.empty() || !wanted(name, *uid)) continue;
    Take(line, ':');
    return Account{std::string(name), std::string(Take(line, ':')), *uid, *gid};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Account> FindAccount(std::string_view passwd, uint32_t uid) {
  return FindAccountIf(passwd, [uid](std::string_view, uint32_t found) { return found == uid; });
}

std::optional<Account> FindAccount(std::string_view passwd, std::string_view name) {
  return FindAccountIf(passwd, [name](std::string_view found, uint32_t) { return found == name; });
}

std::vector<uint32_t> GroupsOf(std::string_view group, std::string_view user) {
  std::vector<uint32_t> groups;
  while (!group.empty()) {
    std::string_view line = Take(group, '\n');
    Take(line, ':');
    Take(line, ':');
    const auto gid = Parse<uint32_t>(Take(line, ':'));
    while (gid && !line.empty()) {
      if (Take(line, ',') == user) groups.push_back(*gid);
    }
  }
  return groups;
}

std::string FindGroup(std::string_view group, uint32_t gid) {
  while (!group.empty()) {
    std::string_view line = Take(group, '\n');
    std::string_view name = Take(line, ':');
    Take(line, ':');
    if (Parse<uint32_t>(Take(line, ':')) == gid) return std::string(name);
  }
  return "";
}

std::vector<std::pair<uint64_t, uint64_t>> FindSubids(std::string_view text, std::string_view user, uint32_t uid) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  std::string number = std::to_string(uid);
  while (!text.empty()) {
    std::string_view line = Take(text, '\n');
    std::string_view owner = Take(line, ':');
    if (owner != number && (user.empty() || owner != user)) continue;
    auto first = Parse<uint64_t>(Take(line, ':'));
    auto count = Parse<uint64_t>(line);
    if (first && count && *count > 0) ranges.emplace_back(*first, *count);
  }
  return ranges;
}

std::string_view DangerOfGroup(std::string_view name) {
  struct Row {
    std::string_view name, danger;
  };
  static constexpr Row kRows[] = {
      {"docker", "starts containers as root on the host"},
      {"lxd", "starts containers as root on the host"},
      {"incus-admin", "starts containers as root on the host"},
      {"libvirt", "starts virtual machines with any disk of the host"},
      {"disk", "reads and writes every disk as it is"},
      {"kvm", "opens /dev/kvm, a large part of the kernel"},
      {"sudo", "may become root"},
      {"wheel", "may become root"},
      {"admin", "may become root"},
      {"root", "owns files of the system"},
      {"shadow", "reads password hashes"},
      {"adm", "reads the system's logs"},
      {"systemd-journal", "reads the system's logs"},
      {"kmem", "reads memory of the kernel"},
      {"input", "reads keyboards"},
      {"tty", "writes to other terminals"},
  };
  for (const Row& row : kRows) {
    if (row.name == name) return row.danger;
  }
  return "";
}

std::vector<std::string> Nameservers(std::string_view text) {
  constexpr std::string_view kWord = "nameserver", kSpace = " \t";
  std::vector<std::string> found;
  while (!text.empty() && found.size() < 3) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(kWord)) continue;
    line.remove_prefix(kWord.size());
    const size_t begin = line.find_first_not_of(kSpace);
    if (begin == 0 || begin == std::string_view::npos) continue;
    line.remove_prefix(begin);
    found.emplace_back(line.substr(0, line.find_first_of(" \t\r#;")));
  }
  return found;
}

std::optional<std::string> ReadText(const char* path) {
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, path, O_RDONLY));
  if (!fd.valid()) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (text.size() < kMaxText) {
    long size = sys::Read(fd.get(), buffer, sizeof buffer);
    if (size < 0) return std::nullopt;
    text.append(buffer, static_cast<size_t>(size));
    if (size == 0) break;
  }
  return text;
}

std::optional<int64_t> ReadInteger(const char* path) {
  auto text = ReadText(path);
  if (!text) return std::nullopt;
  return Parse<int64_t>(std::string_view(*text).substr(0, text->find_first_of(" \n")));
}

}  // namespace mxc::host
