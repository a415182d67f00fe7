#include "linux_runtime/daemon/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "linux_runtime/daemon/parcel.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::daemon {
namespace {

constexpr const char* kStates[] = {"run", "provisioned", "running", "stopped"};

std::vector<std::string> Parts(const Record& record) {
  std::string groups;
  for (const gid_t group : record.owner.groups) groups += std::to_string(group) + " ";
  return {"1",
          kStates[static_cast<size_t>(record.state)],
          std::to_string(record.owner.uid),
          std::to_string(record.owner.gid),
          groups,
          std::to_string(record.created_unix_s),
          record.request,
          record.run,
          std::to_string(record.first_id)};
}

// Our own file, which nobody else can write: what doesn't fit in is a torn write.
bool FromParts(const std::vector<std::string>& parts, Record& record) {
  // One of an mxcd before there were ids has none.
  if ((parts.size() != 8 && parts.size() != 9) || parts[0] != "1") return false;
  const auto* state = std::find(std::begin(kStates), std::end(kStates), parts[1]);
  if (state == std::end(kStates)) return false;
  record.state = static_cast<State>(state - std::begin(kStates));
  record.owner.uid = static_cast<uid_t>(::strtoul(parts[2].c_str(), nullptr, 10));
  record.owner.gid = static_cast<gid_t>(::strtoul(parts[3].c_str(), nullptr, 10));
  for (const char* at = parts[4].c_str(); *at != '\0';) {
    char* end = nullptr;
    record.owner.groups.push_back(static_cast<gid_t>(::strtoul(at, &end, 10)));
    at = *end == ' ' ? end + 1 : "";
  }
  record.created_unix_s = ::strtoll(parts[5].c_str(), nullptr, 10);
  record.request = parts[6];
  record.run = parts[7];
  if (parts.size() == 9) record.first_id = static_cast<uint32_t>(::strtoul(parts[8].c_str(), nullptr, 10));
  return true;
}

// Through the folder's descriptor, so that no path is too long for a socket's address.
sockaddr_un ControlAddress(int folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", folder);
  return address;
}

Result<sys::UniqueFd> OpenFolder(int at, const std::string& name, mode_t mode, const std::string& path) {
  if (int error = sys::Mkdir(at, name.c_str(), mode); error < 0 && error != -EEXIST) {
    return sys::SystemError("make the folder " + path, -error);
  }
  sys::UniqueFd folder(sys::OpenAt(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!folder.valid()) return sys::SystemError("open the folder " + path, errno);
  struct stat found;
  if (int error = sys::Fstat(folder.get(), &found); error < 0) return sys::SystemError("look at " + path, -error);
  if (found.st_uid != ::geteuid() || (found.st_mode & 0022) != 0) {
    return Error(Code::kRefused, "the folder " + path + " belongs to somebody else, or others may write there")
        .WithHint("remove it, or give mxcd another one with --folder");
  }
  if ((found.st_mode & 07777) != mode) (void)sys::Chmod(folder.get(), mode);
  return folder;
}

}  // namespace

const char* StateName(State state) { return kStates[static_cast<size_t>(state)]; }

Result<Registry> Registry::Open(const std::string& folder) {
  Registry registry;
  registry.folder_ = folder;
  // Others have to reach the socket; what is theirs to see ends there.
  const sys::UniqueFd top = MXC_TRY(OpenFolder(AT_FDCWD, folder, 0755, folder));
  registry.lock_.reset(sys::OpenAt(top.get(), "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!registry.lock_.valid()) return sys::SystemError("open " + folder + "/lock", errno);
  if (::flock(registry.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error(Code::kRefused, "another mxcd runs with the folder " + folder)
        .WithHint("`mxc list` asks it for its sessions");
  }
  registry.sessions_ = MXC_TRY(OpenFolder(top.get(), "sessions", 0700, folder + "/sessions"));
  return registry;
}

Result<void> Registry::Add(const Record& record) {
  if (int error = sys::Mkdir(sessions_.get(), record.id.c_str(), 0700); error < 0) {
    return sys::SystemError("make the session's folder " + folder_ + "/sessions/" + record.id, -error);
  }
  return Write(record);
}

Result<void> Registry::Write(const Record& record) {
  const std::string path = record.id + "/session", fresh = record.id + "/session.new";
  const std::string bytes = JoinParts(Parts(record));
  const sys::UniqueFd file(
      sys::OpenAt(sessions_.get(), fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!file.valid()) return sys::SystemError("write " + folder_ + "/sessions/" + fresh, errno);
  if (const long size = sys::Write(file.get(), bytes.data(), bytes.size()); size != static_cast<long>(bytes.size())) {
    return sys::SystemError("write " + folder_ + "/sessions/" + fresh, size < 0 ? static_cast<int>(-size) : ENOSPC);
  }
  if (::renameat(sessions_.get(), fresh.c_str(), sessions_.get(), path.c_str()) != 0) {
    return sys::SystemError("write " + folder_ + "/sessions/" + path, errno);
  }
  return {};
}

void Registry::Remove(const std::string& id) {
  for (const char* name : {"/session", "/session.new", "/control"})
    (void)sys::Unlink(sessions_.get(), (id + name).c_str());
  ::unlinkat(sessions_.get(), id.c_str(), AT_REMOVEDIR);
}

std::vector<Record> Registry::ReadAll() const {
  std::vector<Record> records;
  const int fd = sys::OpenAt(sessions_.get(), ".", O_RDONLY | O_DIRECTORY);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(fd < 0 ? nullptr : ::fdopendir(fd),
                                             [](DIR* open) { return open != nullptr ? ::closedir(open) : 0; });
  if (!stream) return records;
  std::vector<std::string> torn;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string id = entry->d_name;
    if (id == "." || id == "..") continue;
    const sys::UniqueFd file(sys::OpenAt(sessions_.get(), (id + "/session").c_str(), O_RDONLY | O_NOFOLLOW));
    Record record;
    record.id = id;
    Result<std::vector<std::string>> parts = UnpackParcel(file.get());
    if (parts.ok() && FromParts(*parts, record)) {
      records.push_back(std::move(record));
    } else {
      torn.push_back(id);
    }
  }
  for (const std::string& id : torn) const_cast<Registry*>(this)->Remove(id);
  return records;
}

Result<sys::UniqueFd> Registry::Listen(const std::string& id) const {
  const std::string name = id + "/control";
  (void)sys::Unlink(sessions_.get(), name.c_str());
  const sys::UniqueFd folder(sys::OpenAt(sessions_.get(), id.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW));
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = ControlAddress(folder.get());
  if (!socket.valid() || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 8) != 0) {
    return sys::SystemError("make the session's control socket", errno);
  }
  return socket;
}

Result<sys::UniqueFd> Registry::Connect(const std::string& id) const {
  const sys::UniqueFd folder(sys::OpenAt(sessions_.get(), id.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW));
  sys::UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = ControlAddress(folder.get());
  if (!socket.valid() || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error(Code::kNotFound, "the supervisor of session " + id + " is gone");
  }
  return socket;
}

}  // namespace mxc::daemon
