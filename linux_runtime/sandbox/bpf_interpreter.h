// Runs a seccomp program on made-up calls, for tests. Knows the instructions that the kernel allows in such a program and
// that libseccomp or we emit; anything else ends the test.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "linux_runtime/sys/seccomp.h"

namespace mxc::sandbox {

struct BpfRun {
  uint32_t answer = 0;
  bool constant = true;  // looked at number and architecture only: the kernel may cache the answer
  unsigned steps = 0;
};

inline BpfRun RunBpf(const std::vector<sock_filter>& code, const sys::SeccompData& data) {
  BpfRun run;
  uint32_t accumulator = 0;
  for (size_t pc = 0; pc < code.size(); ++pc, ++run.steps) {
    const sock_filter& i = code[pc];
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (i.k > sizeof data - 4 || i.k % 4 != 0) throw std::runtime_error("load outside the data");
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + i.k, 4);
        run.constant &= i.k < 8;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= i.k;
        break;
      case BPF_JMP | BPF_JA:
        pc += i.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += accumulator == i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        pc += accumulator > i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        pc += accumulator >= i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        pc += (accumulator & i.k) != 0 ? i.jt : i.jf;
        break;
      case BPF_RET | BPF_K:
        run.answer = i.k;
        return run;
      default:
        throw std::runtime_error("instruction " + std::to_string(i.code));
    }
  }
  throw std::runtime_error("ran off the end");
}

}  // namespace mxc::sandbox
