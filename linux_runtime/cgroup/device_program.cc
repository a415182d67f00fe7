#include "linux_runtime/cgroup/device_program.h"

#include <cstddef>

namespace mxc::cgroup {
namespace {

// The registers that hold the request; BPF has r0 to r9, r1 is the context at the start.
constexpr uint8_t kResult = BPF_REG_0, kContext = BPF_REG_1, kAsked = BPF_REG_2, kType = BPF_REG_3, kMajor = BPF_REG_4,
                  kMinor = BPF_REG_5, kHit = BPF_REG_6;
constexpr uint32_t kDeny = 0, kAllow = 1;

bpf_insn Instruction(uint8_t code, uint8_t destination, uint8_t source, int16_t offset, int32_t immediate) {
  bpf_insn instruction{};
  instruction.code = code;
  instruction.dst_reg = destination & 0xf;
  instruction.src_reg = source & 0xf;
  instruction.off = offset;
  instruction.imm = immediate;
  return instruction;
}

class Assembler {
 public:
  void Load(uint8_t into, size_t offset) {
    Add(Instruction(BPF_LDX | BPF_MEM | BPF_W, into, kContext, static_cast<int16_t>(offset), 0));
  }
  void Set(uint8_t into, uint32_t value) {
    Add(Instruction(BPF_ALU64 | BPF_MOV | BPF_K, into, 0, 0, static_cast<int32_t>(value)));
  }
  void Copy(uint8_t into, uint8_t from) { Add(Instruction(BPF_ALU64 | BPF_MOV | BPF_X, into, from, 0, 0)); }
  void And(uint8_t into, uint32_t mask) {
    Add(Instruction(BPF_ALU64 | BPF_AND | BPF_K, into, 0, 0, static_cast<int32_t>(mask)));
  }
  void ShiftRight(uint8_t into, int32_t bits) { Add(Instruction(BPF_ALU64 | BPF_RSH | BPF_K, into, 0, 0, bits)); }
  // Jumps to the next rule; where that is isn't known yet.
  void ToNextUnless(uint8_t is, int32_t value) { AddOpen(BPF_JMP | BPF_JNE | BPF_K, is, value); }
  void ToNextIf(uint8_t is, int32_t value) { AddOpen(BPF_JMP | BPF_JEQ | BPF_K, is, value); }
  void Return(uint32_t result) {
    Set(kResult, result);
    Add(Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  }
  void NextRule() {
    for (size_t at : open_) code_[at].off = static_cast<int16_t>(code_.size() - at - 1);
    open_.clear();
  }
  std::vector<bpf_insn> Take() && { return std::move(code_); }

 private:
  void Add(bpf_insn instruction) { code_.push_back(instruction); }
  void AddOpen(uint8_t code, uint8_t is, int32_t value) {
    open_.push_back(code_.size());
    Add(Instruction(code, is, 0, 0, value));
  }

  std::vector<bpf_insn> code_;
  std::vector<size_t> open_;
};

void AddRule(const DeviceRule& rule, Assembler& code) {
  if (rule.type != 'a') code.ToNextUnless(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
  if (rule.major >= 0) code.ToNextUnless(kMajor, static_cast<int32_t>(rule.major));
  if (rule.minor >= 0) code.ToNextUnless(kMinor, static_cast<int32_t>(rule.minor));
  if (rule.allow) {
    code.And(kAsked, ~uint32_t{rule.access} & kAllAccess);
    code.ToNextUnless(kAsked, 0);
    code.Return(kAllow);
  } else {
    code.Copy(kHit, kAsked);
    code.And(kHit, rule.access);
    code.ToNextIf(kHit, 0);
    code.Return(kDeny);
  }
  code.NextRule();
}

}  // namespace

std::vector<bpf_insn> DeviceProgram(const std::vector<DeviceRule>& rules) {
  Assembler code;
  // access_type: the access in the upper half, the type in the lower one.
  code.Load(kAsked, offsetof(bpf_cgroup_dev_ctx, access_type));
  code.Copy(kType, kAsked);
  code.And(kType, 0xffff);
  code.ShiftRight(kAsked, 16);
  code.Load(kMajor, offsetof(bpf_cgroup_dev_ctx, major));
  code.Load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor));
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) AddRule(*rule, code);
  code.Return(kDeny);
  return std::move(code).Take();
}

}  // namespace mxc::cgroup
