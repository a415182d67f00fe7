// Real effects of a Landlock plan, in forked children on this kernel's ABI. Needs no privilege.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdio>
#include <cstring>
#include <fstream>

#include "linux_runtime/sandbox/landlock.h"
#include "tests/integration/filters/in_child.h"

namespace mxc::test {
namespace {

using sandbox::LandlockAccess;
using sandbox::LandlockFailure;
using sandbox::LandlockPath;
using sandbox::LandlockPlan;

long OpenClose(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags, 0600);
  if (fd < 0) return -errno;
  ::close(fd);
  return 0;
}
long Errno(int result) { return result < 0 ? -errno : result; }

// ro/file, rw/file, out/file, all writable by everyone.
class Tree {
 public:
  Tree() {
    for (const char* name : {"ro", "rw", "rw2", "out"}) {
      ::mkdir(at(name).c_str(), 0777);
      ::chmod(at(name).c_str(), 0777);
      std::ofstream(at(name) + "/file") << "#!/bin/true\n";
      ::chmod((at(name) + "/file").c_str(), 0777);
    }
  }
  std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
  std::vector<LandlockPath> Paths() const {
    return {{"/", LandlockAccess::kListOnly, false},          {"/usr", LandlockAccess::kReadOnly, false},
            {at("ro"), LandlockAccess::kReadOnly, false},     {at("rw"), LandlockAccess::kReadWrite, false},
            {at("rw2"), LandlockAccess::kReadWrite, false},   {"/dev/null", LandlockAccess::kDevice, false},
            {at("missing"), LandlockAccess::kReadWrite, true}};
  }

 private:
  SharedFolder folder_;
};

int Abi() {
  int abi = sys::LandlockAbi();
  if (abi < 1) std::printf("left out: this kernel has no Landlock\n");
  return abi;
}

LandlockPlan Plan(const std::vector<LandlockPath>& paths, const oci::LandlockSpec& spec = {}) {
  auto plan = sandbox::PlanLandlock(sys::LandlockAbi(), paths, spec);
  REQUIRE_MESSAGE(plan.ok(), plan.error().Describe());
  return std::move(plan).value();
}

long Confined(const LandlockPlan& plan, const std::function<long()>& action) {
  return InChild(
      ::geteuid() == 0 ? kNobody : 0, [&] { return long{sandbox::ApplyLandlock(plan, nullptr)}; }, action);
}
long Free(const std::function<long()>& action) {
  return InChild(
      ::geteuid() == 0 ? kNobody : 0, [] { return 0L; }, action);
}

TEST_CASE("files: outside nothing opens, read-only stays, read-write works") {
  int abi = Abi();
  if (abi < 1) return;
  Tree tree;
  LandlockPlan plan = Plan(tree.Paths());
  struct Case {
    const char* what;
    long expected;
    std::function<long()> action;
  };
  auto at = [&](const char* name) { return tree.at(name); };
  const Case cases[] = {
      {"read outside", -EACCES, [&] { return OpenClose(at("out/file"), O_RDONLY); }},
      {"write outside", -EACCES, [&] { return OpenClose(at("out/file"), O_WRONLY); }},
      {"create outside", -EACCES, [&] { return OpenClose(at("out/new"), O_CREAT | O_WRONLY); }},
      {"execute outside", -EACCES, [&] { return Errno(::execl(at("out/file").c_str(), "x", nullptr)); }},
      {"write read-only", -EACCES, [&] { return OpenClose(at("ro/file"), O_WRONLY); }},
      {"create in read-only", -EACCES, [&] { return OpenClose(at("ro/new"), O_CREAT | O_WRONLY); }},
      {"remove from read-only", -EACCES, [&] { return Errno(::unlink(at("ro/file").c_str())); }},
      {"folder in read-only", -EACCES, [&] { return Errno(::mkdir(at("ro/d").c_str(), 0700)); }},
      {"link in read-only", -EACCES, [&] { return Errno(::symlink("x", at("ro/l").c_str())); }},
      {"rename within read-only", -EACCES, [&] { return Errno(::rename(at("ro/file").c_str(), at("ro/f").c_str())); }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Tree fresh;  // the run without Landlock changes its own tree
    CHECK(Confined(plan, c.action) == c.expected);
  }
  CHECK(Free([&] { return OpenClose(at("out/file"), O_WRONLY); }) == 0);
  CHECK(Free([&] { return OpenClose(at("ro/new"), O_CREAT | O_WRONLY); }) == 0);
  if (abi >= 3) CHECK(Confined(plan, [&] { return Errno(::truncate(at("ro/file").c_str(), 0)); }) == -EACCES);
  if (abi >= 2) {
    CHECK(Confined(plan, [&] { return Errno(::rename(at("rw/file").c_str(), at("rw2/moved").c_str())); }) == 0);
    CHECK(Confined(plan, [&] { return Errno(::link(at("rw2/moved").c_str(), at("rw/file").c_str())); }) == 0);
    CHECK(Confined(plan, [&] { return Errno(::rename(at("rw/file").c_str(), at("ro/moved").c_str())); }) < 0);
    CHECK(Confined(plan, [&] { return Errno(::link(at("ro/file").c_str(), at("rw/linked").c_str())); }) < 0);
  }
  CHECK(Confined(plan, [&] { return OpenClose(at("ro/file"), O_RDONLY); }) == 0);
  CHECK(Confined(plan, [&] { return OpenClose(at("rw/file"), O_RDWR | O_TRUNC); }) == 0);
  CHECK(Confined(plan, [&] { return OpenClose(at("rw/new"), O_CREAT | O_WRONLY); }) == 0);
  CHECK(Confined(plan, [&] { return Errno(::mkfifo(at("rw/pipe").c_str(), 0600)); }) == 0);
  CHECK(Confined(plan, [&] { return Errno(::unlink(at("rw/new").c_str())); }) == 0);
  CHECK(Confined(plan, [&] { return OpenClose("/", O_RDONLY | O_DIRECTORY); }) == 0);
  CHECK(Confined(plan, [&] { return OpenClose("/dev/null", O_RDWR); }) == 0);
  CHECK(Confined(plan, [&] { return OpenClose("/dev/zero", O_RDONLY); }) == -EACCES);
}

TEST_CASE("a path that can't be opened stops it, with its name; a symbolic link is never followed") {
  if (Abi() < 1) return;
  Tree tree;
  auto failure_of = [&](LandlockPath path) {
    LandlockPlan plan = Plan({std::move(path)});
    return InChild(
        0, [] { return 0L; },
        [&]() -> long {
          LandlockFailure failure;
          int result = sandbox::ApplyLandlock(plan, &failure);
          bool said = failure.error == -result && std::string(failure.path) == plan.rules[0].path &&
                      std::string(failure.step) == "open";
          if (result != 0 && !said) return 1;
          // Nothing was confined.
          return result != 0 && ::access("/", R_OK) == 0 && OpenClose(tree.at("out/file"), O_RDONLY) != 0 ? 2 : result;
        });
  };
  REQUIRE(::symlink("/usr", tree.at("link").c_str()) == 0);
  CHECK(failure_of({tree.at("missing"), LandlockAccess::kReadOnly, false}) == -ENOENT);
  CHECK(failure_of({tree.at("link"), LandlockAccess::kReadOnly, false}) == -ELOOP);
  CHECK(failure_of({tree.at("link/bin"), LandlockAccess::kReadOnly, false}) == -ELOOP);
  CHECK(failure_of({tree.at("missing"), LandlockAccess::kReadOnly, true}) == 0);
  CHECK(failure_of({tree.at("link"), LandlockAccess::kReadOnly, true}) == 0);
}

TEST_CASE("standard output that is a file outside may be opened again for writing, not for reading") {
  if (Abi() < 1) return;
  Tree tree;
  LandlockPlan plan = Plan({{"/proc", LandlockAccess::kReadWrite, false}});
  auto reopen = [&](bool allowed, int flags) {
    plan.standard_streams = allowed;
    return InChild(
        0,
        [&]() -> long {
          int fd = ::open(tree.at("out/file").c_str(), O_WRONLY);
          if (fd < 0 || ::dup2(fd, 1) < 0) return -errno;
          return sandbox::ApplyLandlock(plan, nullptr);
        },
        [&] { return OpenClose("/proc/self/fd/1", flags); });
  };
  CHECK(reopen(true, O_WRONLY) == 0);
  CHECK(reopen(true, O_WRONLY | O_TRUNC) == 0);
  CHECK(reopen(true, O_RDONLY) == -EACCES);
  CHECK(reopen(false, O_WRONLY) == -EACCES);
}

long BindTcp(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  long result = Errno(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
  ::close(fd);
  return result;
}
long ConnectTcp(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  long result = Errno(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
  ::close(fd);
  return result;
}

TEST_CASE("TCP ports") {
  if (int abi = Abi(); abi < 4) {
    std::printf("left out: TCP ports need Landlock ABI 4, here is %d\n", abi);
    return;
  }
  oci::LandlockSpec spec;
  spec.files = false;
  spec.tcp_bind = std::vector<uint16_t>{47311};
  spec.tcp_connect = std::vector<uint16_t>{47312};
  LandlockPlan plan = Plan({}, spec);
  CHECK(Confined(plan, [] { return BindTcp(47311); }) == 0);
  CHECK(Confined(plan, [] { return BindTcp(47312); }) == -EACCES);
  CHECK(Confined(plan, [] { return BindTcp(0); }) == -EACCES);
  CHECK(Confined(plan, [] { return ConnectTcp(47312); }) == -ECONNREFUSED);
  CHECK(Confined(plan, [] { return ConnectTcp(47311); }) == -EACCES);
  CHECK(Free([] { return BindTcp(47312); }) == 0);
  CHECK(Free([] { return ConnectTcp(47311); }) == -ECONNREFUSED);
}

TEST_CASE("scopes: no signal to a process outside, no abstract socket from outside") {
  if (int abi = Abi(); abi < 6) {
    std::printf("left out: scopes need Landlock ABI 6, here is %d\n", abi);
    return;
  }
  oci::LandlockSpec spec;
  spec.files = false;
  LandlockPlan plan = Plan({}, spec);
  auto confined = [&](const std::function<long()>& action) {
    return InChild(
        0, [&] { return long{sandbox::ApplyLandlock(plan, nullptr)}; }, action);
  };
  auto free = [&](const std::function<long()>& action) {
    return InChild(
        0, [] { return 0L; }, action);
  };
  pid_t outside = ::getpid();
  auto signal = [=] { return Errno(::kill(outside, 0)); };
  CHECK(free(signal) == 0);
  CHECK(confined(signal) == -EPERM);
  CHECK(confined([] { return Errno(::kill(::getpid(), 0)); }) == 0);

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int length = std::snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "mxc-landlock-%d", ::getpid());
  socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
  int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  auto connect = [&] {
    int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return Errno(::connect(fd, reinterpret_cast<const sockaddr*>(&address), size));
  };
  CHECK(free(connect) == 0);
  CHECK(confined(connect) == -EPERM);
  ::close(listener);
}

}  // namespace
}  // namespace mxc::test
