// System call filters: from the lists of an OCI spec to a program for the kernel, by libseccomp.
//
// What a compiled program does besides the lists:
// - A number above the newest that the list names gets ENOSYS instead of the default action when that is an errno, so
//   that programs on newer kernels fall back (as runc does).
// - Calls of an architecture that isn't listed end the process; x32 numbers get ENOSYS, as from a kernel without x32.
// - Number -1, which a tracer sets to skip a call, is left alone.
// - Names that neither libseccomp nor we know are left out and returned in `skipped`, as runc does.
// sys::SeccompSetFilter installs a program.
// It can't see what a pointer points to, and not what io_uring's rings ask for: see guard_filter.h and the lists.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

#include "linux_runtime/sys/seccomp.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

struct SeccompProgram {
  std::vector<sock_filter> code;     // at most 4096 instructions (BPF_MAXINSNS)
  uint32_t flags = 0;                // kSeccompFlag* of sys/seccomp.h
  bool notifies = false;             // some action is SCMP_ACT_NOTIFY: flags has NEW_LISTENER, somebody must serve it
  std::vector<std::string> skipped;  // names unknown to us; "NAME (SCMP_ARCH_X86)" where one architecture lacks it
  std::string origin;                // "list default, compiled at build time", "cache", "compiled", "guard"
};

// Takes 2 to 10 ms for a list of 400 names; see SeccompCache.
// Errors: kInvalid for an action, operator, flag or argument index that doesn't exist (the position's pointer is below
// /linux/seccomp), kUnsupported for an architecture that isn't x86, kSystem or kInternal when libseccomp fails.
Result<SeccompProgram> CompileSeccomp(const oci::LinuxSeccomp& list);

// The number of an x86-64 system call, or -1. Knows libseccomp's names and those newer than it, up to Linux 6.18.
int SyscallNumber(const std::string& name);

// The name of an x86-64 system call, or "" for a number without one.
std::string SyscallName(int number);

}  // namespace mxc::sandbox
