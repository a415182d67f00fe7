#include "linux_runtime/sandbox/seccomp.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "linux_runtime/sandbox/bpf_interpreter.h"
#include "linux_runtime/sandbox/guard_filter.h"
#include "shared/translate/seccomp_profiles.h"

namespace mxc::sandbox {
namespace {

constexpr uint32_t kEperm = sys::kSeccompErrno | 1, kEnosys = sys::kSeccompErrno | 38;

sys::SeccompData Call(int number, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0, uint64_t a4 = 0) {
  return {number, sys::kAuditArchX8664, 0, {a0, a1, a2, a3, a4, 0}};
}

// What a shipped list says, read slowly and obviously from its entries.
uint32_t Expected(const translate::SeccompProfile& profile, const std::string& name, const sys::SeccompData& data) {
  bool named = false;
  for (const translate::SeccompEntry& entry : profile.entries) {
    if (std::find(entry.calls.begin(), entry.calls.end(), name) == entry.calls.end()) continue;
    named = true;
    bool holds = std::all_of(entry.conditions.begin(), entry.conditions.end(), [&](const auto& c) {
      return (static_cast<uint32_t>(data.args[c.arg]) & c.mask) == c.value;
    });
    if (!holds) continue;
    if (entry.verdict == translate::SeccompVerdict::kAllow) return sys::kSeccompAllow;
    if (entry.verdict == translate::SeccompVerdict::kKill) return sys::kSeccompKillProcess;
    return sys::kSeccompErrno | entry.error;
  }
  return named || data.nr <= 469 ? kEperm : kEnosys;
}

SeccompProgram Compiled(std::string_view name) {
  auto program = CompileSeccomp(*translate::FindSeccompProfile(name));
  REQUIRE_MESSAGE(program.ok(), program.error().Describe());
  return std::move(program).value();
}

// Arguments worth trying: each condition's value, its neighbours, single bits, and all of these with high bits set.
std::vector<sys::SeccompData> Samples(const translate::SeccompProfile& profile, const std::string& name, int number) {
  std::map<unsigned, std::set<uint64_t>> values;
  std::map<unsigned, std::set<uint32_t>> masks;
  for (const translate::SeccompEntry& entry : profile.entries) {
    if (std::find(entry.calls.begin(), entry.calls.end(), name) == entry.calls.end()) continue;
    for (const translate::SeccompCondition& c : entry.conditions) {
      values[c.arg].insert({c.value, c.value ^ 1, c.value + 1, ~c.mask | c.value, ~c.value, c.mask});
      masks[c.arg].insert(c.mask);
    }
  }
  std::mt19937_64 random(static_cast<unsigned>(number));
  std::vector<sys::SeccompData> samples = {Call(number)};
  for (int round = 0; round < 600; ++round) {
    sys::SeccompData data = Call(number);
    for (unsigned arg = 0; arg < 6; ++arg) {
      uint64_t value = random();
      if (auto found = values.find(arg); found != values.end() && round % 8 != 0)
        value = *std::next(found->second.begin(), static_cast<long>(random() % found->second.size()));
      if (values.contains(arg) && random() % 4 == 0) value ^= uint64_t{1} << random() % 32;
      if (random() % 2 == 0) value |= uint64_t{1} << (32 + random() % 32);
      data.args[arg] = value;
    }
    samples.push_back(data);
  }
  return samples;
}

TEST_CASE("every shipped list answers as its groups say, for every call and with high bits in every argument") {
  for (const translate::SeccompProfile& profile : translate::SeccompProfiles()) {
    CAPTURE(profile.name);
    SeccompProgram program = Compiled(profile.name);
    CHECK(program.skipped.empty());
    for (int number = 0; number < 520; ++number) {
      std::string name = SyscallName(number);
      CAPTURE(name);
      CAPTURE(number);
      for (const sys::SeccompData& data : Samples(profile, name, number)) {
        uint32_t answer = RunBpf(program.code, data).answer;
        if (answer == Expected(profile, name, data)) continue;
        CAPTURE(data.args[0]);
        CAPTURE(data.args[1]);
        CAPTURE(data.args[2]);
        CHECK(answer == Expected(profile, name, data));
      }
    }
  }
}

TEST_CASE("the answer for a call without conditions depends on its number alone, so the kernel caches it") {
  for (const translate::SeccompProfile& profile : translate::SeccompProfiles()) {
    CAPTURE(profile.name);
    SeccompProgram program = Compiled(profile.name);
    unsigned longest = 0;
    for (int number = 0; number < 520; ++number) {
      std::string name = SyscallName(number);
      CAPTURE(name);
      bool conditions =
          translate::ExplainSyscall(profile.name, name).kind == translate::SyscallAnswer::Kind::kConditional;
      BpfRun run = RunBpf(program.code, Call(number));
      CHECK(run.constant == !conditions);
      if (run.constant) longest = std::max(longest, run.steps);
      if (name != "socket" && name != "socketpair") CHECK(RunBpf(GuardFilter().code, Call(number)).constant);
    }
    CHECK(longest < 40);  // a search tree, not a list
  }
}

TEST_CASE("the default list names every x86-64 call once") {
  std::map<std::string, int> groups;
  for (const translate::SeccompProfile& profile : translate::SeccompProfiles()) {
    if (profile.name != "default") continue;
    std::map<std::string, std::set<std::string_view>> seen;
    for (const translate::SeccompEntry& entry : profile.entries)
      for (std::string_view call : entry.calls) seen[std::string(call)].insert(entry.group);
    for (int number = 0; number <= 469; ++number) {
      std::string name = SyscallName(number);
      if (!name.empty()) CHECK_MESSAGE(seen.contains(name), name);
    }
    for (const auto& [name, in] : seen) {
      CHECK_MESSAGE(SyscallNumber(name) >= 0, name);
      if (name != "socket") CHECK_MESSAGE(in.size() == 1, name);
    }
  }
}

TEST_CASE("foreign architectures and numbers that no list knows") {
  SeccompProgram program = Compiled("default");
  CHECK(RunBpf(program.code, Call(470)).answer == kEnosys);
  CHECK(RunBpf(program.code, Call(2000)).answer == kEnosys);
  CHECK(RunBpf(program.code, Call(0x3fffffff)).answer == kEnosys);
  CHECK(RunBpf(program.code, Call(0x40000000 | 39)).answer == kEnosys);
  CHECK(RunBpf(program.code, Call(0x40000000 | 520)).answer == kEnosys);
  CHECK(RunBpf(program.code, Call(-1)).answer == sys::kSeccompAllow);
  sys::SeccompData foreign = Call(20);
  foreign.arch = sys::kAuditArchI386;
  CHECK(RunBpf(program.code, foreign).answer == sys::kSeccompKillProcess);
}

TEST_CASE("a caller's list: actions, operators, errno values") {
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_ALLOW";
  list.syscalls.push_back({{"getpid"}, "SCMP_ACT_ERRNO", 13, {}});
  list.syscalls.push_back({{"getuid"}, "SCMP_ACT_ERRNO", {}, {}});
  list.syscalls.push_back({{"getgid"}, "SCMP_ACT_KILL", {}, {}});
  list.syscalls.push_back({{"geteuid"}, "SCMP_ACT_KILL_PROCESS", {}, {}});
  list.syscalls.push_back({{"getegid"}, "SCMP_ACT_TRAP", {}, {}});
  list.syscalls.push_back({{"getppid"}, "SCMP_ACT_LOG", {}, {}});
  list.syscalls.push_back({{"gettid"}, "SCMP_ACT_TRACE", 7, {}});
  list.syscalls.push_back({{"kill"}, "SCMP_ACT_ERRNO", 1, {{1, 9, 0, "SCMP_CMP_EQ"}, {0, 100, 0, "SCMP_CMP_GT"}}});
  list.syscalls.push_back({{"dup"}, "SCMP_ACT_ERRNO", 1, {{0, 5, 0, "SCMP_CMP_LT"}}});
  list.syscalls.push_back({{"close"}, "SCMP_ACT_ERRNO", 1, {{0, 5, 0, "SCMP_CMP_LE"}}});
  list.syscalls.push_back({{"fsync"}, "SCMP_ACT_ERRNO", 1, {{0, 5, 0, "SCMP_CMP_NE"}}});
  list.syscalls.push_back({{"fchdir"}, "SCMP_ACT_ERRNO", 1, {{0, 5, 0, "SCMP_CMP_GE"}}});
  list.syscalls.push_back({{"umask"}, "SCMP_ACT_ERRNO", 1, {{0, 0xf0, 0x10, "SCMP_CMP_MASKED_EQ"}}});
  list.syscalls.push_back({{"alarm"}, "SCMP_ACT_ERRNO", 1, {{0, 1, 0, "SCMP_CMP_EQ"}, {0, 3, 0, "SCMP_CMP_EQ"}}});
  list.syscalls.push_back({{"cachestat", "no_such_call"}, "SCMP_ACT_ERRNO", 2, {}});
  list.flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"};
  auto program = CompileSeccomp(list);
  REQUIRE_MESSAGE(program.ok(), program.error().Describe());
  CHECK(program->flags == (sys::kSeccompFlagLog | sys::kSeccompFlagSpecAllow | sys::kSeccompFlagTsync));
  CHECK(program->skipped == std::vector<std::string>{"no_such_call"});
  CHECK_FALSE(program->notifies);
  auto answer = [&](const char* name, uint64_t a0 = 0, uint64_t a1 = 0) {
    return RunBpf(program->code, Call(SyscallNumber(name), a0, a1)).answer;
  };
  CHECK(answer("read") == sys::kSeccompAllow);
  CHECK(answer("getpid") == (sys::kSeccompErrno | 13));
  CHECK(answer("getuid") == kEperm);
  CHECK(answer("getgid") == sys::kSeccompKillThread);
  CHECK(answer("geteuid") == sys::kSeccompKillProcess);
  CHECK(answer("getegid") == sys::kSeccompTrap);
  CHECK(answer("getppid") == sys::kSeccompLog);
  CHECK(answer("gettid") == (0x7ff00000u | 7));
  CHECK(answer("kill", 101, 9) == kEperm);
  CHECK(answer("kill", 100, 9) == sys::kSeccompAllow);
  CHECK(answer("kill", 101, 10) == sys::kSeccompAllow);
  CHECK(answer("dup", 4) == kEperm);
  CHECK(answer("dup", 5) == sys::kSeccompAllow);
  CHECK(answer("close", 5) == kEperm);
  CHECK(answer("close", 6) == sys::kSeccompAllow);
  CHECK(answer("fsync", 5) == sys::kSeccompAllow);
  CHECK(answer("fsync", 6) == kEperm);
  CHECK(answer("fchdir", 5) == kEperm);
  CHECK(answer("fchdir", 4) == sys::kSeccompAllow);
  CHECK(answer("umask", 0x315) == kEperm);
  CHECK(answer("umask", 0x325) == sys::kSeccompAllow);
  CHECK(answer("alarm", 1) == kEperm);
  CHECK(answer("alarm", 3) == kEperm);
  CHECK(answer("alarm", 2) == sys::kSeccompAllow);
  CHECK(answer("cachestat") == (sys::kSeccompErrno | 2));
  CHECK(RunBpf(program->code, Call(2000)).answer == sys::kSeccompAllow);  // the default allows: nothing is ENOSYS
}

TEST_CASE("several architectures: each has its own numbers") {
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_ERRNO";
  list.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"};
  list.syscalls.push_back({{"getpid", "cachestat", "socket"}, "SCMP_ACT_ALLOW", {}, {}});
  auto program = CompileSeccomp(list);
  REQUIRE_MESSAGE(program.ok(), program.error().Describe());
  sys::SeccompData i386 = Call(20);
  i386.arch = sys::kAuditArchI386;
  CHECK(RunBpf(program->code, i386).answer == sys::kSeccompAllow);
  i386.nr = 39;
  CHECK(RunBpf(program->code, i386).answer == kEperm);
  CHECK(RunBpf(program->code, Call(39)).answer == sys::kSeccompAllow);
  CHECK(RunBpf(program->code, Call(20)).answer == kEperm);
  CHECK(RunBpf(program->code, Call(0x40000000 | 39)).answer == sys::kSeccompAllow);
  CHECK(RunBpf(program->code, Call(0x40000000 | 20)).answer == kEperm);
  sys::SeccompData unknown = Call(39);
  unknown.arch = 0xc00000b7;  // AArch64: never on this kernel
  CHECK(RunBpf(program->code, unknown).answer == sys::kSeccompKillProcess);
}

TEST_CASE("errors name the place in the spec") {
  auto pointer = [](const oci::LinuxSeccomp& list) {
    auto program = CompileSeccomp(list);
    REQUIRE_FALSE(program.ok());
    CHECK(program.error().code() == Code::kInvalid);
    return program.error().position()->pointer;
  };
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_MAYBE";
  CHECK(pointer(list) == "/linux/seccomp/defaultAction");
  list.default_action = "SCMP_ACT_ERRNO";
  list.flags = {"SECCOMP_FILTER_FLAG_TSYNC", "NO"};
  CHECK(pointer(list) == "/linux/seccomp/flags/1");
  list.flags.clear();
  list.architectures = {"SCMP_ARCH_Z80"};
  CHECK(pointer(list) == "/linux/seccomp/architectures/0");
  list.architectures.clear();
  list.syscalls = {{{"read"}, "SCMP_ACT_ALLOW", {}, {{0, 1, 0, "SCMP_CMP_EQ"}, {6, 0, 0, "SCMP_CMP_EQ"}}}};
  CHECK(pointer(list) == "/linux/seccomp/syscalls/0/args/1");
  list.syscalls = {{{"read"}, "SCMP_ACT_ALLOW", {}, {{0, 1, 0, "EQUALS"}}}};
  CHECK(pointer(list) == "/linux/seccomp/syscalls/0/args/0");
  list.syscalls = {{{"read"}, "SCMP_ACT_ERRNO", 5000, {}}};
  CHECK(pointer(list) == "/linux/seccomp/syscalls/0/action");
}

TEST_CASE("notify asks for a listener") {
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_ALLOW";
  list.syscalls = {{{"mknod"}, "SCMP_ACT_NOTIFY", {}, {}}};
  auto program = CompileSeccomp(list);
  REQUIRE(program.ok());
  CHECK(program->notifies);
  CHECK((program->flags & sys::kSeccompFlagNewListener) != 0);
  CHECK(RunBpf(program->code, Call(133)).answer == sys::kSeccompUserNotify);
}

TEST_CASE("flags that mean something with a listener only") {
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_ALLOW";
  list.flags = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  CHECK(CompileSeccomp(list)->flags == sys::kSeccompFlagTsync);
  list.syscalls = {{{"mknod"}, "SCMP_ACT_NOTIFY", {}, {}}};
  const uint32_t all = sys::kSeccompFlagTsync | sys::kSeccompFlagTsyncEsrch | sys::kSeccompFlagWaitKillableRecv |
                       sys::kSeccompFlagNewListener;
  CHECK(CompileSeccomp(list)->flags == all);
  CHECK(sys::SeccompTakesFlags(sys::kSeccompFlagTsync | sys::kSeccompFlagLog));
  CHECK_FALSE(sys::SeccompTakesFlags(sys::kSeccompFlagTsync | sys::kSeccompFlagNewListener));
}

}  // namespace
}  // namespace mxc::sandbox
