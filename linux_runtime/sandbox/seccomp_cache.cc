#include "linux_runtime/sandbox/seccomp_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "linux_runtime/sys/fd.h"

namespace mxc::sandbox {
namespace {

// Raised when CompileSeccomp makes another program of the same list.
constexpr char kRevision[] = "mxc-seccomp 2";
constexpr off_t kLargestEntry = 1 << 20;

// FNV-1a, 64 bits. Names files and finds damage; nothing rests on its being hard to forge.
uint64_t Checksum(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// What an entry must begin with to be the right one.
std::string Identity(const oci::LinuxSeccomp& list) {
  const scmp_version* version = seccomp_version();
  return std::string(kRevision) + " libseccomp " + std::to_string(version->major) + "." +
         std::to_string(version->minor) + "." + std::to_string(version->micro) + "\n" + CanonicalSeccomp(list);
}

// Entry: checksum of the rest (8 bytes), identity, flags (4), notifies (1), count of skipped (4), each with its NUL,
// instructions.
std::string Encode(const std::string& identity, const SeccompProgram& program) {
  std::string body = identity;
  auto raw = [&](const void* data, size_t size) { body.append(static_cast<const char*>(data), size); };
  raw(&program.flags, sizeof program.flags);
  body += static_cast<char>(program.notifies);
  uint32_t skipped = static_cast<uint32_t>(program.skipped.size());
  raw(&skipped, sizeof skipped);
  for (const std::string& name : program.skipped) raw(name.c_str(), name.size() + 1);
  raw(program.code.data(), program.code.size() * sizeof(sock_filter));
  uint64_t sum = Checksum(body);
  return std::string(reinterpret_cast<const char*>(&sum), sizeof sum) + body;
}

std::optional<SeccompProgram> Decode(std::string_view text, const std::string& identity) {
  uint64_t sum = 0;
  auto take = [&](void* out, size_t size) {
    if (text.size() < size) return false;
    std::memcpy(out, text.data(), size);
    text.remove_prefix(size);
    return true;
  };
  if (!take(&sum, sizeof sum) || Checksum(text) != sum || !text.starts_with(identity)) return std::nullopt;
  text.remove_prefix(identity.size());
  SeccompProgram program;
  char notifies = 0;
  uint32_t skipped = 0;
  if (!take(&program.flags, sizeof program.flags) || !take(&notifies, 1) || !take(&skipped, sizeof skipped))
    return std::nullopt;
  program.notifies = notifies != 0;
  for (; skipped > 0; --skipped) {
    size_t end = text.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    program.skipped.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (text.empty() || text.size() % sizeof(sock_filter) != 0) return std::nullopt;
  program.code.resize(text.size() / sizeof(sock_filter));
  std::memcpy(program.code.data(), text.data(), text.size());
  program.origin = "cache";
  return program;
}

// An invalid descriptor when the folder isn't the caller's alone.
sys::UniqueFd OpenFolder(const std::string& path, bool make) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if (path.empty()) return {};
  sys::UniqueFd folder(::open(path.c_str(), kFlags));
  if (!folder.valid() && make && ::mkdir(path.c_str(), 0700) == 0) folder.reset(::open(path.c_str(), kFlags));
  struct stat status {};
  if (!folder.valid() || ::fstat(folder.get(), &status) != 0 || status.st_uid != ::geteuid() ||
      (status.st_mode & 077) != 0)
    return {};
  return folder;
}

std::optional<SeccompProgram> Load(int folder, const std::string& name, const std::string& identity) {
  sys::UniqueFd file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid() ||
      (status.st_mode & 022) != 0 || status.st_size > kLargestEntry)
    return std::nullopt;
  std::string text(static_cast<size_t>(status.st_size), '\0');
  if (::pread(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return std::nullopt;
  return Decode(text, identity);
}

bool Full(int folder) {
  DIR* list = ::fdopendir(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (list == nullptr) return true;
  int count = 0;
  while (::readdir(list) != nullptr) ++count;
  ::closedir(list);
  return count - 2 >= SeccompCache::kMaxEntries;
}

// Several writers may race: each renames a whole file, and all hold the same.
void Store(int folder, const std::string& name, const std::string& text) {
  if (Full(folder)) return;
  std::string temporary = name + "." + std::to_string(::gettid()) + ".new";
  ::unlinkat(folder, temporary.c_str(), 0);  // left by a killed thread of the same id
  sys::UniqueFd file(::openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return;
  bool whole = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!whole || ::renameat(folder, temporary.c_str(), folder, name.c_str()) != 0)
    ::unlinkat(folder, temporary.c_str(), 0);
}

}  // namespace

Result<SeccompProgram> SeccompCache::Get(const oci::LinuxSeccomp& list) const {
  SeccompProgram shipped = ShippedSeccomp(list);
  if (!shipped.code.empty()) return shipped;
  std::string identity = Identity(list);
  std::string name = Hex(Checksum(identity)) + ".bpf";
  if (sys::UniqueFd folder = OpenFolder(folder_, false); folder.valid())
    if (auto found = Load(folder.get(), name, identity)) return std::move(*found);
  SeccompProgram program = MXC_TRY(CompileSeccomp(list));
  if (sys::UniqueFd folder = OpenFolder(folder_, true); folder.valid())
    Store(folder.get(), name, Encode(identity, program));
  return program;
}

}  // namespace mxc::sandbox
