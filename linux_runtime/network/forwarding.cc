#include "linux_runtime/network/forwarding.h"

#include <dirent.h>

#include <memory>
#include <string_view>
#include <vector>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

constexpr std::string_view kSettings = "/proc/sys/net/";
constexpr off_t kChanging = 0, kHolding = 1;  // bytes that are locked
constexpr size_t kMostBytes = size_t{1} << 20;

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (long got; (got = sys::Read(fd, buffer, sizeof buffer)) > 0 && text.size() < kMostBytes;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

std::string ReadSetting(const std::string& name) {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, (std::string(kSettings) + name).c_str(), O_RDONLY));
  std::string value = file.valid() ? ReadAll(file.get()) : "";
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

int WriteSetting(const std::string& name, const std::string& value) {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, (std::string(kSettings) + name).c_str(), O_WRONLY));
  if (!file.valid()) return file.get();
  const long written = sys::Write(file.get(), value.data(), value.size());
  return written < 0 ? static_cast<int>(written) : 0;
}

int Lock(int fd, off_t byte, short type, bool wait) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  int error;
  do {
    error = ::fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
  } while (error == -EINTR);
  return error;
}

std::vector<std::string> Devices(const std::string& family) {
  std::vector<std::string> names;
  const std::string path = std::string(kSettings) + family + "/conf";
  std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != "all" && name != "default") names.emplace_back(name);
  }
  return names;
}

// What is lost by switching forwarding on and off again, a line each: "ipv4/ip_forward 0". The switch is the first.
std::vector<std::string> Before(bool v6) {
  const std::string family = v6 ? "ipv6" : "ipv4";
  std::vector<std::string> names = {v6 ? std::string("ipv6/conf/all/forwarding") : std::string("ipv4/ip_forward")};
  if (!v6) names.push_back("ipv4/conf/all/accept_redirects");
  names.push_back(family + "/conf/default/forwarding");
  for (const std::string& device : Devices(family)) {
    names.push_back(family + "/conf/" + device + "/forwarding");
    if (v6) names.push_back(family + "/conf/" + device + "/accept_ra");
  }
  std::vector<std::string> lines;
  lines.reserve(names.size());
  for (const std::string& name : names) lines.push_back(name + " " + ReadSetting(name));
  return lines;
}

// In the order of the lines; a device that is gone has no settings to put back.
void PutBack(int file) {
  if (::lseek(file, 0, SEEK_SET) != 0) return;
  const std::string text = ReadAll(file);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const size_t space = line.find(' ');
    if (space != std::string::npos && ReadSetting(line.substr(0, space)) != line.substr(space + 1)) {
      (void)WriteSetting(line.substr(0, space), line.substr(space + 1));
    }
    at = end + 1;
  }
  if (::ftruncate(file, 0) != 0) return;  // what is recorded stays, and is put back again: the same values
}

Result<void> SwitchOn(int file, const std::string& path, bool v6) {
  const std::string text = [&] {
    std::string lines;
    for (const std::string& line : Before(v6)) lines += line + "\n";
    return lines;
  }();
  // Written before anything is changed: whoever finds it after a kill puts back what it says.
  ::lseek(file, 0, SEEK_END);
  if (sys::Write(file, text.data(), text.size()) != static_cast<long>(text.size())) {
    return sys::SystemError("write " + path, errno);
  }
  if (v6) {
    for (const std::string& device : Devices("ipv6")) {
      const std::string name = "ipv6/conf/" + device + "/accept_ra";
      if (ReadSetting(name) == "1") (void)WriteSetting(name, "2");
    }
  }
  const std::string name = v6 ? "ipv6/conf/all/forwarding" : "ipv4/ip_forward";
  if (int error = WriteSetting(name, "1"); error < 0) {
    return sys::SystemError("switch on " + std::string(kSettings) + name + ", which the sandbox's network needs",
                            -error);
  }
  return {};
}

sys::UniqueFd OpenFile(const std::string& path, int flags) {
  return sys::UniqueFd(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_NOFOLLOW | flags, 0600));
}

// With the changing lock held.
void PutBackIfUnheld(int file) {
  if (Lock(file, kHolding, F_WRLCK, false) < 0) return;
  PutBack(file);
  (void)Lock(file, kHolding, F_UNLCK, false);
}

}  // namespace

Result<Forwarding> Forwarding::Hold(const std::string& path, bool v6) {
  Forwarding held;
  held.file_ = OpenFile(path, O_CREAT);
  if (!held.file_.valid()) return sys::SystemError("open " + path, -held.file_.get());
  const int file = held.file_.get();
  if (int error = Lock(file, kChanging, F_WRLCK, true); error < 0) return sys::SystemError("lock " + path, -error);
  if (int error = Lock(file, kHolding, F_RDLCK, true); error < 0) return sys::SystemError("lock " + path, -error);
  ::lseek(file, 0, SEEK_SET);
  const std::string recorded = ReadAll(file);
  Result<void> done;
  for (const bool six : {false, true}) {
    if (six && !v6) continue;
    const std::string name = six ? "ipv6/conf/all/forwarding" : "ipv4/ip_forward";
    const std::string now = ReadSetting(name);
    if (now.empty() && six) continue;  // a host without IPv6
    if (recorded.find(name + " 0\n") != std::string::npos) held.was_off_ = true;
    if (now != "0" || !done.ok()) continue;
    held.was_off_ = true;
    done = SwitchOn(file, path, six);
  }
  (void)Lock(file, kChanging, F_UNLCK, false);
  if (!done.ok()) return std::move(done).error();
  return held;
}

void Forwarding::Release() {
  if (!file_.valid()) return;
  if (Lock(file_.get(), kChanging, F_WRLCK, true) == 0) {
    (void)Lock(file_.get(), kHolding, F_UNLCK, false);
    PutBackIfUnheld(file_.get());
  }
  file_.reset();
}

void Forwarding::PutBackUnheld(const std::string& path) {
  sys::UniqueFd file = OpenFile(path, 0);
  if (!file.valid() || Lock(file.get(), kChanging, F_WRLCK, true) < 0) return;
  PutBackIfUnheld(file.get());
}

}  // namespace mxc::network
