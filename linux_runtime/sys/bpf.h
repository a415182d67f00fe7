// bpf(2) as far as device cgroups of v2 need it: programs of type BPF_PROG_TYPE_CGROUP_DEVICE (Linux 4.15), loaded and
// attached to a group. Each call returns the kernel's value or -errno.
#pragma once

#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>

#include "linux_runtime/sys/raw.h"

namespace mxc::sys {

inline int Bpf(int command, bpf_attr* attr, unsigned size) {
  return static_cast<int>(Check(::syscall(SYS_bpf, command, attr, size)));
}

// A descriptor of the loaded program, close-on-exec as all that bpf(2) gives. name: at most 15 bytes. log: the verifier's
// words when it refuses; may be null.
inline int BpfLoadDevices(const bpf_insn* code, uint32_t count, const char* name, char* log, uint32_t log_size) {
  bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attr.expected_attach_type = BPF_CGROUP_DEVICE;
  attr.insns = reinterpret_cast<uintptr_t>(code);
  attr.insn_cnt = count;
  attr.license = reinterpret_cast<uintptr_t>("Apache-2.0");
  if (log != nullptr) {
    attr.log_buf = reinterpret_cast<uintptr_t>(log);
    attr.log_size = log_size;
    attr.log_level = 1;
  }
  strncpy(attr.prog_name, name, sizeof attr.prog_name - 1);
  return Bpf(BPF_PROG_LOAD, &attr, sizeof attr);
}

// Adds the program to those of the group (BPF_F_ALLOW_MULTI: all must allow); replace >= 0: in place of that one, in one
// step (Linux 5.6).
inline int BpfAttachDevices(int group, int program, int replace) {
  bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.target_fd = static_cast<uint32_t>(group);
  attr.attach_bpf_fd = static_cast<uint32_t>(program);
  attr.attach_type = BPF_CGROUP_DEVICE;
  attr.attach_flags = BPF_F_ALLOW_MULTI;
  if (replace >= 0) {
    attr.attach_flags |= BPF_F_REPLACE;
    attr.replace_bpf_fd = static_cast<uint32_t>(replace);
  }
  return Bpf(BPF_PROG_ATTACH, &attr, sizeof attr);
}

// The ids of the group's own programs; `count` says how many fit, and then how many there are.
inline int BpfQueryDevices(int group, uint32_t* ids, uint32_t* count) {
  bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.query.target_fd = static_cast<uint32_t>(group);
  attr.query.attach_type = BPF_CGROUP_DEVICE;
  attr.query.prog_ids = reinterpret_cast<uintptr_t>(ids);
  attr.query.prog_cnt = *count;
  int result = Bpf(BPF_PROG_QUERY, &attr, sizeof attr);
  *count = attr.query.prog_cnt;
  return result;
}

inline int BpfProgramById(uint32_t id) {
  bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_id = id;
  return Bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof attr);
}

inline int BpfProgramInfo(int program, bpf_prog_info* info) {
  bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  memset(info, 0, sizeof *info);
  attr.info.bpf_fd = static_cast<uint32_t>(program);
  attr.info.info_len = sizeof *info;
  attr.info.info = reinterpret_cast<uintptr_t>(info);
  return Bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr);
}

}  // namespace mxc::sys
