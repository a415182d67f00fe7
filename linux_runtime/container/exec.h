// Another process in a running container: in its namespaces, its cgroup and under its restrictions.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/container/container.h"
#include "linux_runtime/sandbox/launch.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::container {

struct ExecOptions {
  oci::Process process;
  std::string console_socket;
  bool own_terminal = false;  // without a socket: the caller relays the PTY itself
  std::string pid_file;
  std::vector<std::string> below;  // cgroups below the container's own, as BundleGroup::EnterForExec takes them
  unsigned preserve_fds = 0;
  bool ignore_paused = false;
  std::string seccomp_cache;
  sandbox::ArgvArea argv;
};

// The process of the container's configuration with another command: what `exec ID COMMAND` starts from.
Result<oci::Process> ProcessLike(const oci::Spec& spec, const std::vector<std::string>& argv);

// Returns once everything before the program's execution is done; status and pidfd of `launched` tell the rest. All
// namespaces are joined in one setns(2) by the pidfd of the container's first process (Linux 5.8), so that none of them can
// be another container's. Errors: kRefused when the container isn't running.
Result<sandbox::Launched> Exec(const Container& container, const ExecOptions& options,
                               std::vector<std::string>* warnings);

}  // namespace mxc::container
