#include "linux_runtime/cli/linux_host.h"

#include <dirent.h>
#include <stdlib.h>

#include <algorithm>
#include <memory>

#include "linux_runtime/host/configured_hosts.h"
#include "linux_runtime/host/facts.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"
#include "shared/client/prepare.h"

namespace mxc::cli {
namespace {

// Above the readers' own limit, so that they get to say what is wrong with a large input.
constexpr size_t kMaxInput = (1u << 20) + 1;

Result<std::string> ReadAll(int fd, const std::string& name) {
  std::string text;
  char buffer[65536];
  for (;;) {
    long count = sys::Read(fd, buffer, sizeof buffer);
    if (count == -EINTR) continue;
    if (count < 0) return sys::SystemError("read " + name, static_cast<int>(-count));
    if (count == 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kMaxInput) {
      return Error(Code::kInvalid, name + ": more than 1 MiB, which no policy needs").WithHint("is it the right file?");
    }
  }
}

Result<void> CheckOwner(int fd, const std::string& path) {
  struct stat found;
  if (int error = sys::Fstat(fd, &found); error < 0) return sys::SystemError("look at " + path, -error);
  if (found.st_uid != 0 || (found.st_mode & 0022) != 0) {
    return Error(Code::kRefused, path + ": others than root may change it, so it can't be trusted")
        .WithHint("chown root " + path + " && chmod go-w " + path);
  }
  return {};
}

bool IsDocument(const std::string& name) {
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

}  // namespace

Result<std::vector<client::NamedText>> ReadTrustedFolder(const std::string& folder) {
  std::vector<client::NamedText> texts;
  // Who may write the folder above can put another one in its place, or take it away.
  const std::string above = folder.substr(0, folder.rfind('/'));
  int around = sys::OpenAt(AT_FDCWD, above.c_str(), O_PATH | O_DIRECTORY);
  if (around == -ENOENT) return texts;
  if (around < 0) return sys::SystemError("open " + above, -around);
  MXC_TRY(CheckOwner(sys::UniqueFd(around).get(), above));
  int opened = sys::OpenAt(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (opened == -ENOENT) return texts;
  if (opened < 0) return sys::SystemError("open " + folder, -opened);
  sys::UniqueFd directory(opened);
  MXC_TRY(CheckOwner(directory.get(), folder));
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(::dup(directory.get())), ::closedir);
  if (!stream) return sys::SystemError("list " + folder, errno);
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = ::readdir(stream.get())) {
    if (IsDocument(entry->d_name)) names.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) return sys::SystemError("list " + folder, errno);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    std::string path = folder + "/" + name;
    int file = sys::OpenAt(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return sys::SystemError("open " + path, -file);
    sys::UniqueFd owned(file);
    MXC_TRY(CheckOwner(file, path));
    texts.emplace_back(path, MXC_TRY(ReadAll(file, path)));
  }
  return texts;
}

Result<std::string> LinuxHost::ReadFile(const std::string& path) {
  if (path == "-") return ReadAll(0, "standard input");
  int file = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
  if (file == -ENOENT) return Error(Code::kNotFound, path + ": no such file").WithErrno(ENOENT);
  if (file < 0) return sys::SystemError("open " + path, -file);
  sys::UniqueFd owned(file);
  return ReadAll(file, path);
}

std::string FilterCacheFolder() {
  const char* cache = ::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/mxc";
  const char* home = ::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache/mxc" : "";
}

const cgroup::Hierarchy& LinuxHost::Cgroups() {
  if (!cgroups_) cgroups_ = cgroup::Hierarchy::Probe();
  return *cgroups_;
}

Result<translate::HostFacts> LinuxHost::Facts() {
  if (!facts_) facts_ = MXC_TRY_AS("look at this host", host::ProbeHost(Cgroups(), environment_));
  return *facts_;
}

Result<policy::Caller> LinuxHost::Caller() {
  translate::HostFacts facts = MXC_TRY(Facts());
  policy::Caller caller = client::CallerOf(facts);
  caller.configured_hosts = [home = caller.home](std::string_view tool) { return host::ConfiguredHosts(tool, home); };
  char program[4096];
  ssize_t size = ::readlink("/proc/self/exe", program, sizeof program);
  if (size > 0) caller.own_programs.emplace_back(program, static_cast<size_t>(size));
  // Where the environment puts it elsewhere than the account's home, only this says that it is ours.
  if (std::string cache = FilterCacheFolder(); cache.starts_with('/')) caller.own_programs.push_back(std::move(cache));
  return caller;
}

}  // namespace mxc::cli
