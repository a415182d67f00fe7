// The walk and the detached mounts on the real kernel: each scenario in a process with a mount namespace of its own, as
// root or, for others, with a user namespace too. A ramfs with the source C:\ stands in for a drive; what 9p of WSL
// does itself with links and case is not seen here.
#include "linux_runtime/relay/windows_mounts.h"

#include <doctest/doctest.h>
#include <sys/statvfs.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "linux_runtime/sys/raw.h"

namespace mxc::relay {
namespace {

MountTypes Types() {
  MountTypes types;
  types.drive = {"ramfs"};
  return types;
}

// Complaints of a scenario, which can't use the test framework in its own process.
class Complaints {
 public:
  void Expect(bool holds, const std::string& what) {
    if (!holds) text_ += what + "\n";
  }
  // Fails, with the code and the words.
  template <class T>
  void Refused(const Result<T>& got, Code code, const std::string& words) {
    if (got.ok()) {
      text_ += "should be refused: " + words + "\n";
    } else if (got.error().code() != code || got.error().Describe().find(words) == std::string::npos) {
      text_ += "another error than \"" + words + "\": " + got.error().Describe() + "\n";
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void Write(const std::string& path, const std::string& text) {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
  sys::Write(file.get(), text.data(), text.size());
}

std::string Read(int folder, const std::string& path) {
  sys::UniqueFd file(sys::OpenAt(folder, path.c_str(), O_RDONLY));
  char buffer[64];
  const long size = file.valid() ? sys::Read(file.get(), buffer, sizeof buffer) : 0;
  return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : "";
}

void Mkdir(const std::string& path) { sys::Mkdir(AT_FDCWD, path.c_str(), 0755); }
int Mount(const std::string& source, const std::string& point, const char* type, unsigned long flags = 0) {
  return sys::Mount(source.c_str(), point.c_str(), type, flags, nullptr);
}

// True in a mount namespace of its own.
bool EnterNamespace() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (uid != 0) {
    if (sys::Unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return false;
    Write("/proc/self/setgroups", "deny");
    Write("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
    Write("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  } else if (sys::Unshare(CLONE_NEWNS) < 0) {
    return false;
  }
  return sys::Mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Runs `body` with a folder that has a drive C at mnt/c: proj/file, outside/file; and a plain folder home/file.
void Scenario(const std::function<void(Complaints&, const std::string&)>& body) {
  char box[] = "/var/tmp/mxc-mounts-XXXXXX";
  REQUIRE(::mkdtemp(box) != nullptr);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::fflush(stdout);
  const pid_t pid = sys::Fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    sys::Prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::string text = "left out";
    const std::string at = box;
    if (EnterNamespace() && Mount("box", at, "tmpfs") == 0) {
      for (const char* name : {"/mnt", "/mnt/c", "/home", "/other", "/dir"}) Mkdir(at + name);
      Write(at + "/home/file", "home");
      Complaints complaints;
      complaints.Expect(Mount("C:\\", at + "/mnt/c", "ramfs") == 0, "no ramfs");
      Mkdir(at + "/mnt/c/proj");
      Mkdir(at + "/mnt/c/outside");
      Write(at + "/mnt/c/proj/file", "drive");
      Write(at + "/mnt/c/outside/file", "outside");
      body(complaints, at);
      text = complaints.text();
    }
    sys::Write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  sys::Close(ends[1]);
  std::string text;
  char buffer[4096];
  for (long size; (size = sys::Read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(size));
  sys::Close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::rmdir(box);
  CHECK(status == 0);
  if (text == "left out") {
    std::printf("left out: this user may make no mount namespace\n");
    return;
  }
  CHECK(text == "");
}

// A process that repeats `step` until the scenario ends; it shares the mount namespace.
class Repeating {
 public:
  explicit Repeating(const std::function<void()>& step) {
    pid_ = sys::Fork();
    if (pid_ == 0) {
      sys::Prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) step();
    }
  }
  ~Repeating() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Repeating(const Repeating&) = delete;
  Repeating& operator=(const Repeating&) = delete;

 private:
  pid_t pid_;
};

Result<OpenedPath> OpenC(std::vector<std::string> components) {
  return OpenDrivePath({'C', std::move(components)}, Types());
}

TEST_CASE("a folder of a drive becomes a mount of its own") {
  Scenario([](Complaints& c, const std::string& at) {
    auto opened = OpenC({"proj"});
    if (!opened.ok()) return c.Expect(false, opened.error().Describe());
    c.Expect(opened->directory, "a folder");
    auto mount = CloneMount(*opened, {.readonly = true, .noexec = true});
    if (!mount.ok()) return c.Expect(false, mount.error().Describe());
    c.Expect(Read(mount->get(), "file") == "drive", "its file");
    struct statvfs system {};
    ::fstatvfs(mount->get(), &system);
    const unsigned long all = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
    c.Expect((system.f_flag & all) == all, "ro, nosuid, nodev, noexec");
    c.Expect(sys::OpenAt(mount->get(), "new", O_WRONLY | O_CREAT, 0644) == -EROFS, "nothing is written through it");
    auto writable = CloneMount(*opened, {.readonly = false});
    if (!writable.ok()) return c.Expect(false, writable.error().Describe());
    c.Expect(sys::UniqueFd(sys::OpenAt(writable->get(), "new", O_WRONLY | O_CREAT, 0644)).valid(), "written through");
    ::fstatvfs(writable->get(), &system);
    c.Expect((system.f_flag & all) == (ST_NOSUID | ST_NODEV), "nosuid and nodev only");
    // It can be attached, also where the drive itself is gone.
    sys::Umount((at + "/mnt/c").c_str(), MNT_DETACH);
    c.Expect(sys::MoveMount(mount->get(), "", AT_FDCWD, (at + "/dir").c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0, "attach");
    c.Expect(Read(AT_FDCWD, at + "/dir/file") == "drive", "attached");
  });
}

TEST_CASE("a file, and the root") {
  Scenario([](Complaints& c, const std::string&) {
    auto file = OpenC({"proj", "file"});
    c.Expect(file.ok() && !file->directory && CloneMount(*file, {}).ok(), "a file");
    auto root = OpenC({});
    c.Expect(root.ok() && root->directory, "the root");
  });
}

TEST_CASE("what lies on the way is refused, with the component's name") {
  Scenario([](Complaints& c, const std::string& at) {
    const std::string drive = at + "/mnt/c";
    sys::Symlink("outside", AT_FDCWD, (drive + "/link").c_str());
    sys::Symlink("/etc", AT_FDCWD, (drive + "/proj/etc").c_str());
    sys::Symlink("/proc/self/root", AT_FDCWD, (drive + "/proj/magic").c_str());
    c.Refused(OpenC({"link", "file"}), Code::kRefused, "component 1, \"link\", is a symbolic link");
    c.Refused(OpenC({"proj", "etc"}), Code::kRefused, "component 2, \"etc\", is a symbolic link");
    c.Refused(OpenC({"proj", "magic", "etc"}), Code::kRefused, "component 2, \"magic\", is a symbolic link");
    c.Refused(OpenC({"proj", "none", "x"}), Code::kNotFound, "component 2, \"none\", does not exist");
    c.Refused(OpenC({"proj", "file", "x"}), Code::kNotFound, "component 3, \"x\", does not exist");
    c.Refused(OpenC({"proj", "..", "outside"}), Code::kInvalid, "component 2");
    c.Refused(OpenC({"proj/../outside"}), Code::kInvalid, "component 2");
    c.Refused(OpenC({"/etc"}), Code::kInvalid, "component 1");
    c.Refused(OpenC({""}), Code::kInvalid, "not the names of one path");
    sys::Mknod(AT_FDCWD, (drive + "/pipe").c_str(), S_IFIFO | 0644, 0);
    c.Refused(OpenC({"pipe"}), Code::kRefused, "a socket, a pipe or a device");
    c.Refused(OpenDrivePath({'D', {"proj"}}, Types()), Code::kRefused, "no mount of this distribution shows");
    c.Expect(OpenC({"proj"}).ok(), "the folder beside them");
    // Something mounted on the folder, or below it.
    Mkdir(drive + "/proj/sub");
    Write(drive + "/proj/sub/file", "below");
    Mount("cover", drive + "/proj/sub", "tmpfs");
    c.Refused(OpenC({"proj", "sub"}), Code::kRefused, "component 2, \"sub\", has something else mounted on it");
    auto proj = OpenC({"proj"});
    auto mount = CloneMount(*proj, {});
    c.Expect(mount.ok() && Read(mount->get(), "sub/file") == "below", "the mount below is not part of it");
    Mount(at + "/home", drive + "/proj", nullptr, MS_BIND);
    c.Refused(OpenC({"proj", "file"}), Code::kRefused, "component 1, \"proj\", has something else mounted on it");
  });
}

TEST_CASE("a drive that is covered, moved or shown in part") {
  Scenario([](Complaints& c, const std::string& at) {
    const std::string drive = at + "/mnt/c";
    Mount("cover", drive, "tmpfs");
    c.Refused(OpenC({"proj"}), Code::kRefused, "something is mounted over it (tmpfs");
    sys::Umount(drive.c_str(), 0);
    Mount("cover", at + "/mnt", "tmpfs");
    c.Refused(OpenC({"proj"}), Code::kRefused, "over a folder on the way");
    sys::Umount((at + "/mnt").c_str(), 0);
    c.Expect(OpenC({"proj"}).ok(), "uncovered again");
    Mount(drive + "/proj", at + "/other", nullptr, MS_BIND);
    sys::Umount(drive.c_str(), 0);
    c.Refused(OpenC({"file"}), Code::kRefused, "it shows only /proj of the drive");
    sys::Umount((at + "/other").c_str(), 0);
    // Another place, with a blank and a backslash in its name.
    const std::string odd = at + "/win drives\\";
    Mkdir(odd);
    Mount("c:", odd, "ramfs");
    Write(odd + "/file", "moved");
    auto file = OpenC({"file"});
    c.Expect(file.ok(), file.ok() ? "" : file.error().Describe());
    Mount("D:\\", drive, "ramfs");
    c.Expect(OpenDrivePath({'D', {}}, Types()).ok(), "drive D in the place of C");
    c.Refused(OpenDrivePath({'D', {"file"}}, Types()), Code::kNotFound, "component 1");
  });
}

// What the attempts came to.
struct Tally {
  int right = 0, refused = 0, wrong = 0;
};

// Opens for 1.5 seconds. right: what "file" in the opened folder must hold.
Tally Attempt(const std::function<Result<OpenedPath>()>& open, const std::string& right) {
  Tally tally;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  while (std::chrono::steady_clock::now() < end) {
    auto opened = open();
    if (!opened.ok()) {
      ++tally.refused;
      continue;
    }
    auto mount = CloneMount(*opened, {});
    const std::string text = mount.ok() ? Read(mount->get(), "file") : "";
    ++(text == right ? tally.right : tally.wrong);
  }
  return tally;
}

TEST_CASE("a folder that is swapped for a link all the time never leads elsewhere") {
  Scenario([](Complaints& c, const std::string& at) {
    const std::string drive = at + "/mnt/c/", way = drive + "way", real = drive + "real", link = drive + "link";
    Mkdir(way);
    Mkdir(way + "/proj");
    Write(way + "/proj/file", "inside");
    Mkdir(drive + "outside/proj");
    Write(drive + "outside/proj/file", "outside");
    sys::Symlink("outside", AT_FDCWD, link.c_str());
    Tally tally;
    {
      Repeating swapping([&] {
        ::rename(way.c_str(), real.c_str());
        ::rename(link.c_str(), way.c_str());
        ::rename(way.c_str(), link.c_str());
        ::rename(real.c_str(), way.c_str());
      });
      tally = Attempt([] { return OpenC({"way", "proj"}); }, "inside");
    }
    c.Expect(tally.wrong == 0, "led elsewhere " + std::to_string(tally.wrong) + " times");
    c.Expect(tally.right > 0 && tally.refused > 0, "the swapping was not met: " + std::to_string(tally.right) +
                                                       " right, " + std::to_string(tally.refused) + " refused");
  });
}

TEST_CASE("a drive that is covered and uncovered all the time never leads elsewhere") {
  Scenario([](Complaints& c, const std::string& at) {
    // The cover is a part of another drive with the same source, so it counts for none.
    Mount("C:\\", at + "/other", "ramfs");
    Mkdir(at + "/other/part");
    Mkdir(at + "/other/part/proj");
    Write(at + "/other/part/proj/file", "cover");
    Mount(at + "/other/part", at + "/dir", nullptr, MS_BIND);
    sys::Umount((at + "/other").c_str(), 0);
    Tally tally;
    {
      Repeating covering([&] {
        Mount(at + "/dir", at + "/mnt/c", nullptr, MS_BIND);
        sys::Umount((at + "/mnt/c").c_str(), MNT_DETACH);
      });
      tally = Attempt([] { return OpenC({"proj"}); }, "drive");
    }
    c.Expect(tally.wrong == 0, "led elsewhere " + std::to_string(tally.wrong) + " times");
    c.Expect(tally.right > 0 && tally.refused > 0, "the covering was not met");
  });
}

Result<OpenedPath> OpenLinux(const std::string& path) { return OpenDistroPath({path}, Types()); }

TEST_CASE("a path of the distribution itself") {
  Scenario([](Complaints& c, const std::string& at) {
    auto home = OpenLinux(at + "/home");
    if (!home.ok()) return c.Expect(false, home.error().Describe());
    auto mount = CloneMount(*home, {});
    c.Expect(mount.ok() && Read(mount->get(), "file") == "home", "its file, over a mount of a disk");
    c.Refused(OpenLinux("/"), Code::kRefused, "whole root");
    c.Refused(OpenLinux("home"), Code::kInvalid, "normal form");
    c.Refused(OpenLinux(at + "/home/../mnt"), Code::kInvalid, "normal form");
    for (const char* place : {"/proc", "/proc/self/root", "/sys/kernel", "/dev", "/dev/shm", "/run/user", "/mnt/wsl/x",
                              "/mnt/wslg", "/init", "/usr/lib/wsl/lib"}) {
      c.Refused(OpenLinux(place), Code::kRefused, "nothing below");
    }
    c.Refused(OpenLinux(at + "/mnt/c"), Code::kRefused, "lies on a drive of Windows");
    c.Refused(OpenLinux(at + "/mnt/c/proj/file"), Code::kRefused, "lies on a drive of Windows");
    sys::Symlink("home", AT_FDCWD, (at + "/link").c_str());
    c.Refused(OpenLinux(at + "/link/file"), Code::kRefused, "is a symbolic link");
    c.Refused(OpenLinux(at + "/none"), Code::kNotFound, "does not exist");
    // Through a drive to a disk mounted in it.
    Mount("disk", at + "/mnt/c/outside", "tmpfs");
    c.Refused(OpenLinux(at + "/mnt/c/outside"), Code::kRefused, "lies on a drive of Windows");
    // The kernel's file systems under other names.
    Mount("/proc", at + "/other", nullptr, MS_BIND | MS_REC);
    c.Refused(OpenLinux(at + "/other/sys"), Code::kRefused, "is no file system of data");
    // A tmpfs of /run under another name.
    if (Mount("run", "/run", "tmpfs") == 0) {
      Mkdir("/run/x");
      Mount("/run/x", at + "/dir", nullptr, MS_BIND);
      c.Refused(OpenLinux(at + "/dir"), Code::kRefused, "is another name of a part of /run");
    }
    // What is mounted below a granted folder is not granted with it.
    Mkdir(at + "/home/c");
    Mount("C:\\", at + "/home/c", "ramfs");
    Write(at + "/home/c/file", "drive");
    auto again = OpenLinux(at + "/home");
    auto clone = CloneMount(*again, {});
    c.Expect(clone.ok() && Read(clone->get(), "c/file").empty(), "no drive comes along");
  });
}

}  // namespace
}  // namespace mxc::relay
