#include "shared/translate/seccomp_profiles.h"

#include <doctest/doctest.h>

#include <set>

namespace mxc::translate {
namespace {

using Kind = SyscallAnswer::Kind;

TEST_CASE("the shipped lists") {
  std::set<std::string_view> names;
  for (const SeccompProfile& profile : SeccompProfiles()) {
    names.insert(profile.name);
    CHECK_FALSE(profile.summary.empty());
    const oci::LinuxSeccomp* list = FindSeccompProfile(profile.name);
    REQUIRE(list != nullptr);
    CHECK(list->default_action == "SCMP_ACT_ERRNO");
    CHECK(list->syscalls.size() == SeccompRuleCount(profile.name));
    CHECK(SeccompProfileName(list) == profile.name);
    CHECK(ShareSeccompProfile(profile.name).get() == list);
    // 32-bit arguments are compared under a mask within 32 bits, never whole.
    for (const oci::SeccompSyscall& rule : list->syscalls)
      for (const oci::SeccompArg& arg : rule.args) {
        CHECK(arg.op == "SCMP_CMP_MASKED_EQ");
        CHECK(arg.value <= 0xffffffff);
        CHECK((arg.value_two & ~arg.value) == 0);
      }
    for (const SeccompEntry& entry : profile.entries) CHECK_FALSE(entry.why.empty());
  }
  CHECK(names == std::set<std::string_view>{"build", "default", "ml", "nesting", "untrusted"});
  CHECK(FindSeccompProfile("none") == nullptr);
  CHECK(ShareSeccompProfile("none") == nullptr);
  oci::LinuxSeccomp copy = *FindSeccompProfile("ml");
  CHECK(SeccompProfileName(&copy).empty());
}

TEST_CASE("why: what a list says about a call") {
  CHECK(ExplainSyscall("none", "read").kind == Kind::kUnknownProfile);
  CHECK(ExplainSyscall("default", "no_such_call").kind == Kind::kUnknownSyscall);

  SyscallAnswer read = ExplainSyscall("ml", "read");
  CHECK(read.kind == Kind::kAllowed);
  CHECK(read.list == "default");
  CHECK(read.group == "file-io");

  SyscallAnswer ptrace = ExplainSyscall("default", "ptrace");
  CHECK(ptrace.kind == Kind::kErrno);
  CHECK(ptrace.error_name == "EPERM");
  CHECK(ptrace.allowed_by == std::vector<std::string_view>{"build", "ml"});
  CHECK(ExplainSyscall("untrusted", "ptrace").kind == Kind::kKilled);
  CHECK(ExplainSyscall("ml", "ptrace").kind == Kind::kAllowed);
  CHECK(ExplainSyscall("ml", "ptrace").list == "ml");

  SyscallAnswer clone = ExplainSyscall("default", "clone");
  CHECK(clone.kind == Kind::kConditional);
  CHECK(clone.when == "argument 0 has none of the bits 0x7e020000");
  CHECK(ExplainSyscall("nesting", "clone").kind == Kind::kAllowed);

  SyscallAnswer socket = ExplainSyscall("default", "socket");
  CHECK(socket.kind == Kind::kConditional);
  CHECK(socket.group == "socket-families");
  CHECK(ExplainSyscall("default", "io_uring_setup").error_name == "ENOSYS");
}

}  // namespace
}  // namespace mxc::translate
