#include "tests/covers/box.h"

#include <dirent.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "linux_runtime/sandbox/cover_source.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::covers_test {
namespace {

using sandbox::CoverSource;

void Need(long value, const char* what) {
  if (value < 0) throw std::runtime_error(std::string(what) + ": " + strerrorname_np(static_cast<int>(-value)));
}

void WriteMap(pid_t pid, const char* name, const std::string& text) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  int fd = sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY);
  Need(fd, path.c_str());
  Need(sys::Write(fd, text.data(), text.size()), path.c_str());
  sys::Close(fd);
}

// The child up to the point where its root stands and what exists is covered.
void Enter(const std::string& work, const BoxOptions& options, CoverSource covers) {
  Need(sys::Mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
  Need(sys::Mount("tmpfs", "/tmp", "tmpfs", 0, nullptr), "tmpfs");
  Need(sys::Mkdir(AT_FDCWD, "/tmp/w", 0755), "mkdir");
  Need(sys::Mount(work.c_str(), "/tmp/w", nullptr, MS_BIND | MS_REC, nullptr), "bind");
  if (covers.base < 0) Need(sandbox::MakeCoversInside(&covers, "/sys"), "covers");
  Need(sandbox::SplitCovers(&covers, "/sys"), "split");
  for (const Guarded& name : options.names) {
    const std::string path = "/tmp/w/" + name.path;
    sys::UniqueFd target(sys::OpenAt(AT_FDCWD, path.c_str(), O_PATH | O_NOFOLLOW));
    if (!target.valid()) continue;
    struct stat stat {};
    sys::Fstat(target.get(), &stat);
    if (!name.protect) {
      Need(sandbox::AttachCover(&covers, target.get(), S_ISDIR(stat.st_mode)), "cover");
      continue;
    }
    sys::UniqueFd view(sys::OpenTree(target.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
    sys::MountAttr attr{MOUNT_ATTR_RDONLY, 0, 0, 0};
    Need(sys::MountSetattr(view.get(), "", AT_EMPTY_PATH, attr), "read-only");
    Need(sys::MoveMount(view.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), "attach");
  }
  sandbox::CloseCovers(&covers);
  Need(sys::Chdir("/tmp"), "chdir");
  Need(sys::PivotRoot(".", "."), "pivot_root");
  Need(sys::Umount(".", MNT_DETACH), "umount");
  Need(sys::Chdir("/"), "chdir");
}

}  // namespace

void Host::Serve(int milliseconds) const {
  timespec start{}, now{};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const long left = milliseconds - (now.tv_sec - start.tv_sec) * 1000 - (now.tv_nsec - start.tv_nsec) / 1000000;
    if (left <= 0) return;
    pollfd wait{keeper != nullptr ? keeper->descriptor() : -1, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(left)) > 0 && keeper != nullptr && !keeper->OnReady()) return;
  }
}

bool Host::Ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

BoxResult RunBox(const std::string& work, const BoxOptions& options, const std::function<void(Shared*)>& inside,
                 const std::function<void(const Host&)>& outside) {
  auto* shared =
      static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const bool root = ::geteuid() == 0;
  CoverSource covers;
  if (root) {
    Need(sandbox::MakeCoverBase(&covers, 0, -1), "cover base");
    sandbox::SplitCovers(&covers, nullptr);
  }
  int pair[2];
  Need(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
  std::vector<bool> existed;
  for (const Guarded& name : options.names)
    existed.push_back(std::filesystem::exists(std::filesystem::symlink_status(work + "/" + name.path)));
  sys::CloneArgs args{};
  int pidfd = -1;
  args.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  pid_t pid = sys::Clone3(&args);
  Need(pid, "clone3");
  char byte = 0;
  if (pid == 0) {
    try {
      sys::Close(pair[0]);
      sys::Read(pair[1], &byte, 1);
      sys::SetResGid(0);
      sys::SetResUid(0);
      sys::Prctl(PR_SET_DUMPABLE, 1);
      sys::Prctl(PR_SET_PDEATHSIG, SIGKILL);
      Enter(work, options, covers);
      sys::Write(pair[1], "r", 1);
      if (sys::Read(pair[1], &byte, 1) != 1) ::_exit(2);
      inside(shared);
      ::_exit(0);
    } catch (const std::exception& error) {
      ::fprintf(stderr, "box: %s\n", error.what());
      ::_exit(1);
    }
  }
  sys::Close(pair[1]);
  WriteMap(pid, "setgroups", "deny");
  const std::string map = root ? "0 100000 65536" : "0 65534 1";
  WriteMap(pid, "uid_map", map);
  WriteMap(pid, "gid_map", map);
  sys::Write(pair[0], "m", 1);
  if (sys::Read(pair[0], &byte, 1) != 1) throw std::runtime_error("the box didn't come up");

  BoxResult result;
  result.state = work + ".state";
  ::mkdir(result.state.c_str(), 0700);
  std::optional<sandbox::CoverKeeper> keeper;
  sys::UniqueFd state(sys::OpenAt(AT_FDCWD, result.state.c_str(), O_RDONLY | O_DIRECTORY));
  if (options.keeper) {
    sandbox::KeeperOptions keep;
    keep.pid = pid;
    keep.pidfd = pidfd;
    if (root) keep.cover_owner = 0;
    keep.kill_on_exposed = options.kill_on_exposed;
    keep.hold_opens = options.hold_opens;
    keep.state_folder = [&state]() -> Result<int> { return state.get(); };
    for (size_t i = 0; i < options.names.size(); ++i) {
      const std::string& path = options.names[i].path;
      sandbox::KeptName name;
      name.path = "/w/" + path;
      name.host_parent = std::filesystem::path(work + "/" + path).parent_path();
      name.rule = "deny " + path;
      name.protect = options.names[i].protect;
      name.existed = existed[i];
      keep.names.push_back(std::move(name));
    }
    Result<sandbox::CoverKeeper> started = sandbox::CoverKeeper::Start(std::move(keep));
    if (!started.ok()) throw std::runtime_error(started.error().Describe());
    keeper.emplace(std::move(started).value());
    Result<void> joined = keeper->Join();
    if (!joined.ok()) throw std::runtime_error(joined.error().Describe());
    result.held_opens = keeper->holds_opens();
  }
  sys::Write(pair[0], "g", 1);
  Host host{work, shared, keeper ? &*keeper : nullptr, pid};
  outside(host);
  shared->stop = 1;
  ::waitpid(pid, &result.wait_status, 0);
  if (keeper) result.events = keeper->Finish();
  sandbox::CloseCovers(&covers);
  sys::Close(pair[0]);
  sys::Close(pidfd);
  return result;
}

std::string Scenario(As as, const std::function<std::string(const std::string&)>& body) {
  if (::geteuid() != 0) {
    ::printf("left out: needs root, to act as root and as uid 65534\n");
    return {};
  }
  char name[] = "/var/tmp/mxc-covers-XXXXXX";
  if (::mkdtemp(name) == nullptr) return std::string("mkdtemp: ") + ::strerror(errno);
  const std::string work = std::string(name) + "/work";
  ::mkdir(work.c_str(), 0777);
  ::chmod(work.c_str(), 0777);
  ::chmod(name, 0777);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return "pipe";
  ::fflush(stdout);
  pid_t pid = ::fork();
  if (pid == 0) {
    ::umask(0);
    if (as == As::kRootless) {
      gid_t none = 65534;
      sys::SetGroups(0, &none);
      sys::SetResGid(65534);
      sys::SetResUid(65534);
      sys::Prctl(PR_SET_DUMPABLE, 1);
    } else {
      sys::Unshare(CLONE_NEWNS);
      sys::Mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    }
    std::string complaint;
    try {
      complaint = body(work);
    } catch (const std::exception& error) {
      complaint = error.what();
    }
    sys::Write(ends[1], complaint.data(), complaint.size());
    ::fflush(stdout);
    ::_exit(0);
  }
  sys::Close(ends[1]);
  std::string complaint;
  char buffer[4096];
  for (long size; (size = sys::Read(ends[0], buffer, sizeof buffer)) > 0;)
    complaint.append(buffer, static_cast<size_t>(size));
  sys::Close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) complaint += " (the scenario's process ended with status " + std::to_string(status) + ")";
  std::filesystem::remove_all(name);
  return complaint;
}

void Write(const std::string& path, const std::string& text) {
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666));
  if (fd.valid()) sys::Write(fd.get(), text.data(), text.size());
}

std::string Read(const std::string& path) {
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!fd.valid()) return std::string("(") + strerrorname_np(-fd.get()) + ")";
  char buffer[256];
  long size = sys::Read(fd.get(), buffer, sizeof buffer);
  return size < 0 ? std::string("(") + strerrorname_np(static_cast<int>(-size)) + ")"
                  : std::string(buffer, static_cast<size_t>(size));
}

void OpenLoop(Shared* shared, const char* path, const char* leak) {
  long since = -1, last = -1;
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000 + time.tv_nsec / 1000;
  };
  shared->started = 1;
  while (shared->stop == 0) {
    ++shared->looks;
    char text[64] = "";
    int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      // The window lasts up to the first refusal.
      if (since >= 0 && now() - since > shared->longest_us) shared->longest_us = now() - since;
      since = -1;
      continue;
    }
    ++shared->opened;
    last = now();
    if (since < 0) since = last;
    if (::read(fd, text, sizeof text - 1) > 0 && ::strstr(text, leak) != nullptr) ++shared->leaked;
    ::close(fd);
  }
  if (since >= 0 && now() - since > shared->longest_us) shared->longest_us = now() - since;
}

}  // namespace mxc::covers_test
