#include <seccomp.h>

#include <cstdlib>
#include <iterator>

#include "linux_runtime/sandbox/seccomp.h"

namespace mxc::sandbox {
namespace {

// x86-64 calls that libseccomp 2.5.4 doesn't know, or that a 2.5.x of some distribution may not.
// Source: arch/x86/entry/syscalls/syscall_64.tbl of Linux 6.18.
struct Named {
  const char* name;
  int number;
};
constexpr Named kNewer[] = {
    {"uretprobe", 335},         {"uprobe", 336},           {"memfd_secret", 447},
    {"process_mrelease", 448},  {"futex_waitv", 449},      {"set_mempolicy_home_node", 450},
    {"cachestat", 451},         {"fchmodat2", 452},        {"map_shadow_stack", 453},
    {"futex_wake", 454},        {"futex_wait", 455},       {"futex_requeue", 456},
    {"statmount", 457},         {"listmount", 458},        {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},       {"listxattrat", 465},
    {"removexattrat", 466},     {"open_tree_attr", 467},   {"file_getattr", 468},
    {"file_setattr", 469},
};

}  // namespace

int SyscallNumber(const std::string& name) {
  for (const Named& each : kNewer)
    if (name == each.name) return each.number;
  int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str());
  return number >= 0 ? number : -1;
}

std::string SyscallName(int number) {
  for (const Named& each : kNewer)
    if (number == each.number) return each.name;
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
  std::string text = name != nullptr ? name : "";
  std::free(name);
  return text;
}

}  // namespace mxc::sandbox
