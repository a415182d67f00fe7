// Real system calls under the real filters, in forked children: what each rule refuses and what it lets through, as root
// (when the test is root) and as an ordinary user. A refusal counts only if the same call ends otherwise without the
// filter, for at least one of the users.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdio>
#include <vector>

#include "linux_runtime/sandbox/guard_filter.h"
#include "linux_runtime/sandbox/seccomp_cache.h"
#include "shared/translate/seccomp_profiles.h"
#include "tests/integration/filters/in_child.h"

namespace mxc::test {
namespace {

using sandbox::SeccompProgram;

constexpr uint64_t kHigh = 0x100000000;
constexpr long kSigsys = kKilled - SIGSYS;
constexpr long kSigsegv = kKilled - SIGSEGV;
constexpr long kSameAsWithout = -300000;  // the filter must not be noticed

std::vector<unsigned> Users() {
  if (::geteuid() == 0) return {0, kNobody};
  return {0};
}

long Install(const std::vector<const SeccompProgram*>& programs) {
  for (const SeccompProgram* program : programs) {
    int result = sys::SeccompSetFilter(program->code.data(), program->code.size(), program->flags);
    if (result < 0) return result;
  }
  return 0;
}

SeccompProgram Shipped(const char* name) {
  SeccompProgram program = sandbox::ShippedSeccomp(*translate::FindSeccompProfile(name));
  REQUIRE_FALSE(program.code.empty());
  return program;
}

long Int80(long number, long a = 0, long b = 0, long c = 0) {
  long result = 0;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(result);
}

// clone(2) as fork: the child leaves at once, the parent reports 0 instead of a changing number.
long Clone(uint64_t flags) {
  long pid = Raw(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) ::_exit(0);
  if (pid < 0) return pid;
  ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return 0;
}

long CloseAndZero(long fd) {
  if (fd < 0) return fd;
  ::close(static_cast<int>(fd));
  return 0;
}

struct Case {
  std::string what;
  long expected;
  std::function<long()> call;
  bool natural_differs = true;  // false: this kernel may answer so by itself (a feature it lacks)
};

void Check(const std::vector<const SeccompProgram*>& programs, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.what);
    bool differs = false;
    for (unsigned user : Users()) {
      CAPTURE(user);
      long without = InChild(
          user, [] { return 0L; }, c.call);
      long with = InChild(
          user, [&] { return Install(programs); }, c.call);
      // Under some hypervisors `int $0x80` faults before the kernel sees a call.
      const bool no_such_call = c.expected == kSigsys && without == kSigsegv;
      if (no_such_call) std::printf("left undecided: %s: this machine takes no i386 calls\n", c.what.c_str());
      CHECK(with == (c.expected == kSameAsWithout || no_such_call ? without : c.expected));
      differs |= without != c.expected;
    }
    bool refusal = c.expected == -EPERM || c.expected == -ENOSYS || c.expected == -EAFNOSUPPORT ||
                   c.expected == -EPROTONOSUPPORT || c.expected == kSigsys;
    if (!refusal || differs) continue;
    // An ordinary user is refused much by the kernel itself; as root the same cases are decided.
    if (c.natural_differs && ::geteuid() == 0) {
      CHECK_MESSAGE(differs, "this call fails alike without the filter, so the case shows nothing");
    } else {
      std::printf("left undecided: %s fails alike here without a filter\n", c.what.c_str());
    }
  }
}

std::vector<Case> SocketCases() {
  auto socket = [](uint64_t family, uint64_t type, uint64_t protocol) {
    return [=] { return CloseAndZero(Raw(SYS_socket, family, type, protocol)); };
  };
  auto pair = [](uint64_t family) {
    return [=] {
      int ends[2];
      return Raw(SYS_socketpair, family, SOCK_STREAM, 0, ends);
    };
  };
  return {
      {"vsock", -EAFNOSUPPORT, socket(AF_VSOCK, SOCK_STREAM, 0), false},
      {"vsock, high bit 32", -EAFNOSUPPORT, socket(kHigh | AF_VSOCK, SOCK_STREAM, 0), false},
      {"vsock, high bit 63", -EAFNOSUPPORT, socket((uint64_t{1} << 63) | AF_VSOCK, SOCK_STREAM, 0), false},
      {"vsock datagrams", -EAFNOSUPPORT, socket(AF_VSOCK, SOCK_DGRAM, 0), false},
      {"packet", -EAFNOSUPPORT, socket(AF_PACKET, SOCK_RAW, 0)},
      {"packet, high bits", -EAFNOSUPPORT, socket(kHigh | AF_PACKET, SOCK_RAW, 0)},
      {"packet by way of inet", -EPERM, socket(AF_INET, SOCK_PACKET, 0), false},
      {"alg", -EAFNOSUPPORT, socket(AF_ALG, SOCK_SEQPACKET, 0), false},
      {"raw inet", -EPERM, socket(AF_INET, SOCK_RAW, 1)},
      {"raw inet, high bits", -EPERM, socket(kHigh | AF_INET, kHigh | SOCK_RAW, kHigh | 1)},
      {"netlink audit", -EPERM, socket(AF_NETLINK, SOCK_RAW, 9), false},
      {"netlink kobject-uevent", -EPERM, socket(AF_NETLINK, SOCK_RAW, 15)},
      {"netlink kobject-uevent, high bits", -EPERM, socket(AF_NETLINK, SOCK_RAW, kHigh | 15)},
      {"mptcp", -EPROTONOSUPPORT, socket(AF_INET, SOCK_STREAM, 262), false},
      {"mptcp, high bits", -EPROTONOSUPPORT, socket(kHigh | AF_INET6, SOCK_STREAM, kHigh | 262), false},
      {"no family", -EPERM, socket(1000, SOCK_STREAM, 0)},
      {"unix", 0, socket(AF_UNIX, SOCK_STREAM, 0), false},
      {"tcp", 0, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), false},
      {"tcp by name, high bits", 0, socket(kHigh | AF_INET, kHigh | SOCK_STREAM, kHigh | 6), false},
      {"udp6", kSameAsWithout, socket(AF_INET6, SOCK_DGRAM, 17)},
      {"ping", kSameAsWithout, socket(AF_INET, SOCK_DGRAM, 1)},
      {"netlink route", 0, socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), false},
      {"unix pair", 0, pair(AF_UNIX), false},
      {"inet pair", -EPERM, pair(AF_INET)},
      {"inet pair, high bits", -EPERM, pair(kHigh | AF_INET)},
  };
}

std::vector<Case> ModeCases(const std::string& folder) {
  auto name = [=] { return folder + "/" + std::to_string(::getpid()); };
  auto with_file = [=](auto change) {
    return [=]() -> long {
      std::string path = name();
      int fd = ::open(path.c_str(), O_CREAT | O_RDWR, 0600);
      if (fd < 0) return -errno;
      long result = change(path.c_str(), fd);
      ::close(fd);
      return result;
    };
  };
  auto creates = [=](auto create) { return [=]() -> long { return CloseAndZero(create(name().c_str())); }; };
  std::vector<Case> cases;
  for (uint64_t bad : {uint64_t{04755}, uint64_t{02755}, uint64_t{06000}, kHigh | 04755}) {
    auto add = [&](const char* what, std::function<long()> call) { cases.push_back({what, -EPERM, std::move(call)}); };
    add("chmod", with_file([=](const char* path, int) { return Raw(SYS_chmod, path, bad); }));
    add("fchmod", with_file([=](const char*, int fd) { return Raw(SYS_fchmod, uint64_t(fd), bad); }));
    add("fchmodat", with_file([=](const char* path, int) { return Raw(SYS_fchmodat, AT_FDCWD, path, bad); }));
    add("fchmodat2", with_file([=](const char* path, int) { return Raw(452, AT_FDCWD, path, bad, 0); }));
    add("open", creates([=](const char* path) { return Raw(SYS_open, path, O_CREAT | O_RDWR, bad); }));
    add("open, high flags",
        creates([=](const char* path) { return Raw(SYS_open, path, kHigh | O_CREAT | O_RDWR, bad); }));
    add("openat", creates([=](const char* path) { return Raw(SYS_openat, AT_FDCWD, path, O_CREAT | O_RDWR, bad); }));
    add("O_TMPFILE",
        creates([=](const char*) { return Raw(SYS_openat, AT_FDCWD, folder.c_str(), O_TMPFILE | O_RDWR, bad); }));
    add("creat", creates([=](const char* path) { return Raw(SYS_creat, path, bad); }));
    add("mknod", creates([=](const char* path) { return Raw(SYS_mknod, path, S_IFREG | bad, 0); }));
    add("mknodat", creates([=](const char* path) { return Raw(SYS_mknodat, AT_FDCWD, path, S_IFREG | bad, 0); }));
  }
  cases.insert(
      cases.end(),
      {
          {"device", -EPERM, creates([](const char* path) { return Raw(SYS_mknod, path, S_IFCHR | 0600, 0x103); })},
          {"block device", -EPERM,
           creates([](const char* path) { return Raw(SYS_mknodat, AT_FDCWD, path, S_IFBLK | 0600, 0x103); })},
          {"whiteout", -EPERM, creates([](const char* path) { return Raw(SYS_mknod, path, S_IFCHR | 0600, 0); })},
          {"pipe", 0, creates([](const char* path) { return Raw(SYS_mknod, path, S_IFIFO | 0600, 0); }), false},
          {"chmod 01777", 0, with_file([](const char* path, int) { return Raw(SYS_chmod, path, 01777); }), false},
          {"chmod 755", 0, with_file([](const char* path, int) { return Raw(SYS_chmod, path, 0755); }), false},
          {"open 600", 0, creates([](const char* path) { return Raw(SYS_open, path, O_CREAT | O_RDWR, 0600); }), false},
          {"open without a mode", 0, [] { return CloseAndZero(Raw(SYS_open, "/dev/null", O_RDONLY, 07777)); }, false},
          {"openat without a mode", 0, [] { return CloseAndZero(Raw(SYS_openat, AT_FDCWD, "/", O_RDONLY, ~0ul)); },
           false},
          {"mkdir", 0, [=] { return Raw(SYS_mkdir, (name() + "d").c_str(), 02755); }, false},
      });
  return cases;
}

std::vector<Case> ProcessCases() {
  std::vector<Case> cases = {
      {"fork", 0, [] { return Clone(0); }, false},
      {"new user namespace", -EPERM, [] { return Clone(CLONE_NEWUSER); }},
      {"new user namespace, high bits", -EPERM, [] { return Clone(kHigh << 20 | CLONE_NEWUSER); }},
      {"unshare user", -EPERM, [] { return Raw(SYS_unshare, CLONE_NEWUSER); }},
      {"unshare user, high bits", -EPERM, [] { return Raw(SYS_unshare, kHigh | CLONE_NEWUSER); }},
      {"unshare time", -EPERM, [] { return Raw(SYS_unshare, 0x80); }},
      {"unshare files", 0, [] { return Raw(SYS_unshare, CLONE_FILES); }, false},
      {"clone3", -ENOSYS, [] { return Raw(SYS_clone3, 0, 0); }},
      {"openat2", -ENOSYS, [] { return Raw(SYS_openat2, AT_FDCWD, "/", 0, 0); }},
      {"io_uring_setup", -ENOSYS, [] { return Raw(SYS_io_uring_setup, 0, 0); }},
      {"io_uring_enter", -ENOSYS, [] { return Raw(SYS_io_uring_enter, -1, 0, 0, 0, 0, 0); }},
      {"io_uring_register", -ENOSYS, [] { return Raw(SYS_io_uring_register, -1, 0, 0, 0); }},
      {"personality, asked", 0, [] { return Raw(SYS_personality, 0xffffffff); }, false},
      {"personality, asked, high bits", 0, [] { return Raw(SYS_personality, ~uint64_t{0}); }, false},
      {"no address randomization", -EPERM, [] { return Raw(SYS_personality, 0x40000); }},
      {"no address randomization, high bits", -EPERM, [] { return Raw(SYS_personality, kHigh | 0x40000); }},
      {"read implies exec", -EPERM, [] { return Raw(SYS_personality, 0x400000); }},
      {"get_mempolicy", -EPERM, [] { return Raw(SYS_get_mempolicy, 0, 0, 0, 0, 0); }, false},
      {"pidfd_getfd", -EPERM, [] { return Raw(SYS_pidfd_getfd, -1, -1, 0); }},
      {"i386 getpid", kSigsys, [] { return Int80(20); }},
      {"i386 socket", kSigsys, [] { return Int80(359, AF_VSOCK, SOCK_STREAM, 0); }},
      {"x32 getpid", -ENOSYS, [] { return Raw(0x40000000 | SYS_getpid); }, false},
      {"x32 socket", -ENOSYS, [] { return Raw(0x40000000 | SYS_socket, AF_UNIX, SOCK_STREAM, 0); }, false},
      {"newer than known", -ENOSYS, [] { return Raw(600); }, false},
      {"a tracer's -1", kSameAsWithout, [] { return Raw(-1); }},
      {"getrandom", 0, [] { return Raw(SYS_getrandom, 0, 0, 0); }, false},
      {"mseal", kSameAsWithout, [] { return Raw(462, 1, 1, ~0ul); }},
      {"cachestat", kSameAsWithout, [] { return Raw(451, -1, 0, 0, 0); }},
  };
  for (uint64_t request : {0x5412, 0x541c, 0x541d, 0x5423}) {
    for (uint64_t high : {uint64_t{0}, kHigh, uint64_t{1} << 63}) {
      cases.push_back({"terminal injection", -EPERM, [=] { return Raw(SYS_ioctl, -1, high | request, 0); }});
    }
  }
  for (uint64_t request : {0x5401, 0x5413, 0x541b, 0x5411, 0x5422, 0x5424})
    cases.push_back({"other requests", -EBADF, [=] { return Raw(SYS_ioctl, -1, request, 0); }, false});
  return cases;
}

TEST_CASE("sockets, modes and processes under guard and default list") {
  SharedFolder folder;
  SeccompProgram guard = sandbox::GuardFilter(), list = Shipped("default");
  for (const auto& cases : {SocketCases(), ModeCases(folder.path()), ProcessCases()}) Check({&guard, &list}, cases);
}

TEST_CASE("every call that a list refuses or ends at, refused by the kernel, whatever its arguments") {
  for (const translate::SeccompProfile& profile : translate::SeccompProfiles()) {
    CAPTURE(profile.name);
    SeccompProgram guard = sandbox::GuardFilter(), list = Shipped(std::string(profile.name).c_str());
    for (const translate::SeccompEntry& entry : profile.entries) {
      if (entry.verdict == translate::SeccompVerdict::kAllow || !entry.conditions.empty()) continue;
      for (std::string_view call : entry.calls) {
        CAPTURE(call);
        int number = sandbox::SyscallNumber(std::string(call));
        long expected = entry.verdict == translate::SeccompVerdict::kKill ? kSigsys : -long{entry.error};
        long got = InChild(
            0,
            [&] {
              return Install({&guard, &list});
            },
            [&] { return Raw(number, -1l, -1l, -1l, -1l, -1l, -1l); });
        CHECK(got == expected);
      }
    }
  }
}

TEST_CASE("refusals that differ without the filter, call by call") {
  SeccompProgram guard = sandbox::GuardFilter(), list = Shipped("default");
  auto bad = reinterpret_cast<void*>(8);
  Check({&guard, &list},
        {{"ptrace", -EPERM, [] { return Raw(SYS_ptrace, 0, 0, 0, 0); }},
         {"process_vm_readv", -EPERM, [] { return Raw(SYS_process_vm_readv, ::getpid(), 0, 0, 0, 0, 0); }},
         {"mount", -EPERM, [=] { return Raw(SYS_mount, bad, bad, bad, 0, 0); }},
         {"umount2", -EPERM, [] { return Raw(SYS_umount2, "/nowhere", ~0u); }},
         {"fsopen", -EPERM, [=] { return Raw(SYS_fsopen, bad, 0); }},
         {"open_tree", -EPERM, [=] { return Raw(SYS_open_tree, -1, bad, 0); }},
         {"move_mount", -EPERM, [=] { return Raw(SYS_move_mount, -1, bad, -1, bad, 0); }},
         {"mount_setattr", -EPERM, [=] { return Raw(SYS_mount_setattr, -1, bad, 0, 0, 0); }},
         {"setns", -EPERM, [] { return Raw(SYS_setns, -1, 0); }},
         {"chroot", -EPERM, [=] { return Raw(SYS_chroot, bad); }},
         {"bpf", -EPERM, [=] { return Raw(SYS_bpf, ~0u, bad, 0); }},
         {"userfaultfd", -EPERM, [] { return Raw(SYS_userfaultfd, ~0u); }},
         {"perf_event_open", -EPERM, [=] { return Raw(SYS_perf_event_open, bad, 0, 0, -1, 0); }},
         {"keyctl", -EPERM, [] { return Raw(SYS_keyctl, ~0u, 0, 0, 0, 0); }},
         {"add_key", -EPERM, [=] { return Raw(SYS_add_key, bad, bad, 0, 0, 0); }},
         {"request_key", -EPERM, [=] { return Raw(SYS_request_key, bad, bad, 0, 0); }},
         {"open_by_handle_at", -EPERM, [=] { return Raw(SYS_open_by_handle_at, -1, bad, 0); }},
         {"syslog", -EPERM, [] { return Raw(SYS_syslog, ~0u, 0, 0); }, false},
         {"clock_settime", -EPERM, [=] { return Raw(SYS_clock_settime, 0, bad); }},
         {"adjtimex", -EPERM, [=] { return Raw(SYS_adjtimex, bad); }},
         {"modify_ldt", -EPERM, [] { return Raw(SYS_modify_ldt, 0, 0, 0); }},
         {"fanotify_init", -EPERM, [] { return Raw(SYS_fanotify_init, ~0u, ~0u); }, false},
         {"name_to_handle_at", kSameAsWithout, [=] { return Raw(SYS_name_to_handle_at, -1, bad, bad, 0, 0); }}});
}

TEST_CASE("what the other lists add and take away") {
  SharedFolder folder;
  SeccompProgram guard = sandbox::GuardFilter();
  SeccompProgram ml = Shipped("ml"), build = Shipped("build"), untrusted = Shipped("untrusted"),
                 nesting = Shipped("nesting");
  Check({&guard, &ml}, {{"get_mempolicy", kSameAsWithout, [] { return Raw(SYS_get_mempolicy, 0, 0, 0, 0, 0); }},
                        {"pidfd_getfd", -EBADF, [] { return Raw(SYS_pidfd_getfd, -1, -1, 0); }, false},
                        {"ptrace", 0, [] { return Raw(SYS_ptrace, 0, 0, 0, 0); }, false},
                        {"bpf", -EPERM, [] { return Raw(SYS_bpf, ~0u, 8, 0); }, false}});
  Check({&guard, &build}, {{"no address randomization", 0, [] { return Raw(SYS_personality, 0x40000); }, false},
                           {"read implies exec", -EPERM, [] { return Raw(SYS_personality, 0x400000); }},
                           {"high bits", -EPERM, [] { return Raw(SYS_personality, kHigh | 0x400000); }}});
  Check({&guard, &untrusted},
        {{"ptrace", kSigsys, [] { return Raw(SYS_ptrace, 0, 0, 0, 0); }},
         {"memory file that may be executed", -EPERM, [] { return CloseAndZero(Raw(SYS_memfd_create, "x", 0)); }},
         {"… by MFD_EXEC", -EPERM, [] { return CloseAndZero(Raw(SYS_memfd_create, "x", 0x10)); }},
         {"… with high bits", -EPERM, [] { return CloseAndZero(Raw(SYS_memfd_create, "x", kHigh | 0x10)); }},
         {"sealed memory file", kSameAsWithout, [] { return CloseAndZero(Raw(SYS_memfd_create, "x", 9)); }},
         {"nameless exec", -EPERM, [] { return Raw(SYS_execveat, -1, "", 0, 0, 0x1000); }},
         {"exec by name", -ENOENT, [] { return Raw(SYS_execveat, AT_FDCWD, "/no", 0, 0, 0); }, false},
         {"prctl PR_SET_MM", -EPERM, [] { return Raw(SYS_prctl, 35, ~0ul, 0, 0, 0); }, false},
         {"prctl PR_GET_DUMPABLE", kSameAsWithout, [] { return Raw(SYS_prctl, 3, 0, 0, 0, 0); }},
         {"ping", -EPERM, [] { return CloseAndZero(Raw(SYS_socket, AF_INET, SOCK_DGRAM, 1)); }, false},
         {"unshare files", -EPERM, [] { return Raw(SYS_unshare, CLONE_FILES); }}});
  std::string whiteout = folder.path() + "/w";
  Check({&guard, &nesting},
        {{"new user namespace", kSameAsWithout, [] { return Clone(CLONE_NEWUSER); }},
         {"clone3", kSameAsWithout, [] { return Raw(SYS_clone3, 0, 0); }},
         {"mount", kSameAsWithout, [] { return Raw(SYS_mount, 8, 8, 8, 0, 0); }},
         {"vsock", -EAFNOSUPPORT, [] { return CloseAndZero(Raw(SYS_socket, kHigh | AF_VSOCK, 1, 0)); }, false},
         {"set-uid file", -EPERM, [=] { return CloseAndZero(Raw(SYS_creat, whiteout.c_str(), 04755)); }},
         {"device", -EPERM, [=] { return Raw(SYS_mknod, (whiteout + "d").c_str(), S_IFCHR | 0600, 0x103); }},
         {"device, high bits", -EPERM,
          [=] { return Raw(SYS_mknod, (whiteout + "e").c_str(), kHigh | S_IFCHR | 0600, 0x103); }}});
}

TEST_CASE("the guard holds under a caller's list that allows everything, and under one that refuses seccomp") {
  SeccompProgram guard = sandbox::GuardFilter();
  oci::LinuxSeccomp open;
  open.default_action = "SCMP_ACT_ALLOW";
  auto everything = sandbox::CompileSeccomp(open);
  open.syscalls = {{{"seccomp", "prctl"}, "SCMP_ACT_ERRNO", 1, {}}};
  auto no_seccomp = sandbox::CompileSeccomp(open);
  REQUIRE(everything.ok());
  REQUIRE(no_seccomp.ok());
  for (const SeccompProgram* own : {&*everything, &*no_seccomp}) {
    Check({&guard, own},
          {{"vsock", -EAFNOSUPPORT, [] { return CloseAndZero(Raw(SYS_socket, AF_VSOCK, 1, 0)); }, false},
           {"vsock, high bits", -EAFNOSUPPORT, [] { return CloseAndZero(Raw(SYS_socket, kHigh | AF_VSOCK, 1, 0)); },
            false},
           {"io_uring", -ENOSYS, [] { return Raw(SYS_io_uring_setup, 0, 0); }},
           {"i386 socketcall", kSigsys, [] { return Int80(102, 1, 0, 0); }},
           {"x32", -ENOSYS, [] { return Raw(0x40000000 | SYS_socket, AF_VSOCK, 1, 0); }, false},
           {"tcp", 0, [] { return CloseAndZero(Raw(SYS_socket, AF_INET, SOCK_STREAM, 0)); }, false},
           {"packet", kSameAsWithout, [] { return CloseAndZero(Raw(SYS_socket, AF_PACKET, SOCK_RAW, 0)); }}});
  }
}

// 0: the program ended well under the list.
long RunUnder(const char* name, const char* script, const char* interpreter) {
  SeccompProgram guard = sandbox::GuardFilter(), list = Shipped(name);
  return InChild(
      ::geteuid() == 0 ? kNobody : 0, [] { return 0L; },
      [&]() -> long {
        pid_t pid = ::fork();
        if (pid == 0) {
          if (Install({&guard, &list}) < 0) ::_exit(99);
          ::execl(interpreter, interpreter, "-c", script, nullptr);
          ::_exit(98);
        }
        int status = 0;
        ::waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled - WTERMSIG(status);
      });
}

TEST_CASE("shells and Python's threads, processes, sockets and event loops run under every list") {
  const char* shell =
      "set -e; x=$(ls / | sort | wc -l); test $x -gt 3; d=$(mktemp -d); cp -a /etc/passwd $d/; mv $d/passwd $d/p; "
      "chmod 600 $d/p; ln -s p $d/l; tar cf $d/t.tar -C $d p; rm -r $d";
  const char* python =
      "import threading,subprocess,socket,asyncio,multiprocessing,tempfile,os,mmap,select,time\n"
      "t=[threading.Thread(target=time.sleep,args=(0.01,)) for _ in range(8)]\n"
      "[x.start() for x in t]; [x.join() for x in t]\n"
      "assert subprocess.run(['true']).returncode==0\n"
      "s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); c=socket.create_connection(s.getsockname()); c.close()\n"
      "socket.getaddrinfo('127.0.0.1',80); a,b=socket.socketpair(); a.send(b'x'); assert b.recv(1)==b'x'\n"
      "asyncio.run(asyncio.sleep(0))\n"
      "p=multiprocessing.get_context('fork').Process(target=int); p.start(); p.join(); assert p.exitcode==0\n"
      "f=tempfile.NamedTemporaryFile(); f.write(b'x'*4096); f.flush(); os.chmod(f.name,0o644); "
      "mmap.mmap(f.fileno(),4096).close()\n";
  for (const translate::SeccompProfile& profile : translate::SeccompProfiles()) {
    CAPTURE(profile.name);
    std::string name(profile.name);
    CHECK(RunUnder(name.c_str(), shell, "/bin/sh") == 0);
    if (::access("/usr/bin/python3", X_OK) == 0) {
      CHECK(RunUnder(name.c_str(), python, "/usr/bin/python3") == 0);
    } else {
      std::printf("left out: python3 is not installed\n");
    }
  }
  if (::geteuid() != 0) std::printf("left out: the part as root\n");
}

}  // namespace
}  // namespace mxc::test
