#include "linux_runtime/sandbox/guard_filter.h"

#include <doctest/doctest.h>

#include "linux_runtime/sandbox/bpf_interpreter.h"

namespace mxc::sandbox {
namespace {

constexpr uint32_t kAllow = sys::kSeccompAllow, kEnosys = sys::kSeccompErrno | 38, kNoFamily = sys::kSeccompErrno | 97;
constexpr uint32_t kX86 = sys::kAuditArchI386, kNative = sys::kAuditArchX8664;
constexpr int kX32 = 0x40000000;

struct Case {
  uint32_t arch;
  int number;
  uint64_t arg;
  uint32_t closed;     // everything on
  uint32_t open_arch;  // foreign off
  uint32_t vsock;      // only vsock on
};

constexpr uint32_t kKill = sys::kSeccompKillProcess;

const Case kCases[] = {
    {kNative, 41, 2, kAllow, kAllow, kAllow},
    {kNative, 41, 40, kNoFamily, kNoFamily, kNoFamily},
    {kNative, 41, 0x100000028, kNoFamily, kNoFamily, kNoFamily},
    {kNative, 41, 0xffffffff00000028, kNoFamily, kNoFamily, kNoFamily},
    {kNative, 41, 0x128, kAllow, kAllow, kAllow},  // 296: no family
    {kNative, 53, 40, kNoFamily, kNoFamily, kNoFamily},
    {kNative, 53, 0x8000000000000028, kNoFamily, kNoFamily, kNoFamily},
    {kNative, 53, 1, kAllow, kAllow, kAllow},
    {kNative, 42, 40, kAllow, kAllow, kAllow},
    {kNative, 424, 40, kAllow, kAllow, kAllow},
    {kNative, 425, 0, kEnosys, kEnosys, kAllow},
    {kNative, 426, 0, kEnosys, kEnosys, kAllow},
    {kNative, 427, 0, kEnosys, kEnosys, kAllow},
    {kNative, 428, 0, kAllow, kAllow, kAllow},
    {kNative, 5000, 0, kAllow, kAllow, kAllow},
    {kNative, -1, 40, kAllow, kAllow, kAllow},
    {kNative, kX32 | 39, 0, kEnosys, kAllow, kAllow},
    {kNative, kX32 | 41, 40, kEnosys, kNoFamily, kNoFamily},
    {kNative, kX32 | 41, 0x100000028, kEnosys, kNoFamily, kNoFamily},
    {kNative, kX32 | 53, 40, kEnosys, kNoFamily, kNoFamily},
    {kNative, kX32 | 425, 0, kEnosys, kEnosys, kAllow},
    {kX86, 20, 0, kKill, kAllow, kAllow},
    {kX86, 359, 40, kKill, kNoFamily, kNoFamily},
    {kX86, 359, 2, kKill, kAllow, kAllow},
    {kX86, 360, 40, kKill, kNoFamily, kNoFamily},
    {kX86, 102, 1, kKill, kEnosys, kEnosys},
    {kX86, 102, 8, kKill, kEnosys, kEnosys},
    {kX86, 102, 3, kKill, kAllow, kAllow},
    {kX86, 426, 0, kKill, kEnosys, kAllow},
};

TEST_CASE("the guard's answers, with everything on, with foreign architectures open, and for AF_VSOCK alone") {
  SeccompProgram closed = GuardFilter();
  SeccompProgram open = GuardFilter({.foreign = false});
  SeccompProgram vsock = GuardFilter({.io_uring = false, .foreign = false});
  SeccompProgram nothing = GuardFilter({.vsock = false, .io_uring = false, .foreign = false});
  for (const Case& c : kCases) {
    CAPTURE(c.arch);
    CAPTURE(c.number);
    CAPTURE(c.arg);
    sys::SeccompData data{c.number, c.arch, 0, {c.arg, 0, 0, 0, 0, 0}};
    CHECK(RunBpf(closed.code, data).answer == c.closed);
    CHECK(RunBpf(open.code, data).answer == c.open_arch);
    CHECK(RunBpf(vsock.code, data).answer == c.vsock);
    CHECK(RunBpf(nothing.code, data).answer == kAllow);
  }
}

TEST_CASE("all other calls are answered by number alone, within a few instructions") {
  SeccompProgram guard = GuardFilter();
  for (int number = 0; number < 600; ++number) {
    if (number == 41 || number == 53) continue;
    BpfRun run = RunBpf(guard.code, {number, kNative, 0, {40, 40, 40, 40, 40, 40}});
    CHECK(run.constant);
    CHECK(run.steps <= 9);
    bool ring = number >= 425 && number <= 427;
    CHECK(run.answer == (ring ? kEnosys : kAllow));
  }
}

}  // namespace
}  // namespace mxc::sandbox
