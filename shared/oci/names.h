// The names that a specification may use, as predicates.
#pragma once

#include <span>
#include <string_view>

namespace mxc::oci {

bool IsNamespaceType(std::string_view name);          // mount pid network uts ipc user cgroup time
bool IsCapability(std::string_view name);             // capabilities(7), up to CAP_CHECKPOINT_RESTORE (Linux 5.9)
std::span<const std::string_view> CapabilityNames();  // by their numbers, without CAP_
bool IsRlimit(std::string_view name);                 // getrlimit(2)
bool IsSchedulerPolicy(std::string_view name);
bool IsSchedulerFlag(std::string_view name);
bool IsIoPriorityClass(std::string_view name);
bool IsPropagation(std::string_view name);  // with the recursive spellings that Docker and podman write
bool IsSeccompAction(std::string_view name);
bool SeccompActionTakesErrno(std::string_view name);
bool IsSeccompOperator(std::string_view name);
bool IsSeccompArchitecture(std::string_view name);
bool IsSeccompFlag(std::string_view name);
bool IsMemoryPolicyMode(std::string_view name);
bool IsMemoryPolicyFlag(std::string_view name);

}  // namespace mxc::oci
