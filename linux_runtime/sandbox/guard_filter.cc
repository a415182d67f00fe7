#include "linux_runtime/sandbox/guard_filter.h"

#include <errno.h>
#include <sys/socket.h>

#include <cassert>

namespace mxc::sandbox {
namespace {

constexpr uint32_t kOffsetNr = offsetof(sys::SeccompData, nr);
constexpr uint32_t kOffsetArch = offsetof(sys::SeccompData, arch);
constexpr uint32_t kOffsetArg0 = offsetof(sys::SeccompData, args);  // its low half: x86 is little-endian

constexpr uint32_t kNoSys = sys::kSeccompErrno | ENOSYS;
constexpr uint32_t kNoFamily = sys::kSeccompErrno | EAFNOSUPPORT;
constexpr uint32_t kSkippedByTracer = 0xffffffff;

// x86-64 (and, with its bit, x32).
constexpr uint32_t kSocket = 41, kSocketpair = 53;
// i386. socketcall's first argument is the operation; the family lies behind a pointer.
constexpr uint32_t kSocketI386 = 359, kSocketpairI386 = 360, kSocketcallI386 = 102;
constexpr uint32_t kOpSocket = 1, kOpSocketpair = 8;
// The same on all architectures.
constexpr uint32_t kIoUringFirst = 425, kIoUringLast = 427;

// Appends instructions; jumps forward to labels that Bind() places.
class Assembler {
 public:
  enum Label : uint8_t { kNext, kAllow, kEnosys, kFamily, kX32, kI386, kFamilyOfSocket, kLabels };

  void Load(uint32_t offset) { Add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void And(uint32_t mask) { Add(BPF_ALU | BPF_AND | BPF_K, mask); }
  void Return(uint32_t value) { Add(BPF_RET | BPF_K, value); }
  void IfEqual(uint32_t value, Label yes, Label no = kNext) { Jump(BPF_JEQ, value, yes, no); }
  void IfAtLeast(uint32_t value, Label yes, Label no = kNext) { Jump(BPF_JGE, value, yes, no); }
  void IfAbove(uint32_t value, Label yes, Label no = kNext) { Jump(BPF_JGT, value, yes, no); }
  void Bind(Label label) { places_[label] = code_.size(); }

  std::vector<sock_filter> Finish() {
    for (const auto& [at, yes, no] : jumps_) {
      code_[at].jt = Distance(at, yes);
      code_[at].jf = Distance(at, no);
    }
    return std::move(code_);
  }

 private:
  struct Pending {
    size_t at;
    Label yes, no;
  };

  void Add(int operation, uint32_t k) { code_.push_back({static_cast<uint16_t>(operation), 0, 0, k}); }
  void Jump(int kind, uint32_t value, Label yes, Label no) {
    jumps_.push_back({code_.size(), yes, no});
    Add(BPF_JMP | kind | BPF_K, value);
  }
  uint8_t Distance(size_t from, Label label) const {
    if (label == kNext) return 0;
    assert(places_[label] > from && places_[label] - from - 1 < 256);
    return static_cast<uint8_t>(places_[label] - from - 1);
  }

  std::vector<sock_filter> code_;
  std::vector<Pending> jumps_;
  size_t places_[kLabels] = {};
};

}  // namespace

SeccompProgram GuardFilter(const GuardOptions& options) {
  Assembler a;
  a.Load(kOffsetArch);
  a.IfEqual(sys::kAuditArchX8664, Assembler::kNext, Assembler::kI386);
  a.Load(kOffsetNr);
  a.IfAtLeast(sys::kX32Bit, Assembler::kX32);
  if (options.vsock) {
    a.IfEqual(kSocket, Assembler::kFamilyOfSocket);
    a.IfEqual(kSocketpair, Assembler::kFamilyOfSocket);
  }
  if (options.io_uring) {
    a.IfAbove(kIoUringLast, Assembler::kAllow);
    a.IfAtLeast(kIoUringFirst, Assembler::kEnosys);
  }
  a.Return(sys::kSeccompAllow);

  a.Bind(Assembler::kX32);
  a.IfEqual(kSkippedByTracer, Assembler::kAllow);  // runs nothing; keeps the result that a tracer has put there
  if (options.foreign) {
    a.Return(kNoSys);
  } else {
    a.And(~sys::kX32Bit);
    if (options.vsock) {
      a.IfEqual(kSocket, Assembler::kFamilyOfSocket);
      a.IfEqual(kSocketpair, Assembler::kFamilyOfSocket);
    }
    if (options.io_uring) {
      a.IfAbove(kIoUringLast, Assembler::kAllow);
      a.IfAtLeast(kIoUringFirst, Assembler::kEnosys);
    }
    a.Return(sys::kSeccompAllow);
  }

  // Everything that isn't x86-64 by its audit value: on this kernel that is i386.
  a.Bind(Assembler::kI386);
  if (options.foreign) {
    // ENOSYS would leave programs of musl looping in _exit.
    a.Return(sys::kSeccompKillProcess);
  } else {
    a.Load(kOffsetNr);
    if (options.io_uring) {
      a.IfAbove(kIoUringLast, Assembler::kAllow);
      a.IfAtLeast(kIoUringFirst, Assembler::kEnosys);
    }
    if (options.vsock) {
      a.IfEqual(kSocketI386, Assembler::kFamilyOfSocket);
      a.IfEqual(kSocketpairI386, Assembler::kFamilyOfSocket);
      a.IfEqual(kSocketcallI386, Assembler::kNext, Assembler::kAllow);
      // The family is out of sight: refused for every family; libc has used the direct calls since Linux 4.3.
      a.Load(kOffsetArg0);
      a.IfEqual(kOpSocket, Assembler::kEnosys);
      a.IfEqual(kOpSocketpair, Assembler::kEnosys);
    }
    a.Return(sys::kSeccompAllow);
  }

  a.Bind(Assembler::kFamilyOfSocket);
  if (options.vsock) {
    a.Load(kOffsetArg0);
    a.IfEqual(AF_VSOCK, Assembler::kFamily);
  }
  a.Bind(Assembler::kAllow);
  a.Return(sys::kSeccompAllow);
  a.Bind(Assembler::kEnosys);
  a.Return(kNoSys);
  a.Bind(Assembler::kFamily);
  a.Return(kNoFamily);

  SeccompProgram program;
  program.code = a.Finish();
  program.flags = sys::kSeccompFlagSpecAllow;
  program.origin = "guard";
  return program;
}

}  // namespace mxc::sandbox
