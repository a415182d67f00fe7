// From a bundle to a container whose first process waits for `start`, or goes on at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/container/state.h"
#include "linux_runtime/container/store.h"
#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/launch.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::container {

struct CreateOptions {
  std::string id;
  std::string bundle;          // absolute
  std::string config;          // file; "": config.json of the bundle
  std::string console_socket;  // unix socket that takes the PTY's master
  bool own_terminal = false;   // without a socket: the caller relays the PTY itself
  std::string pid_file;        // gets the pid, without a newline
  unsigned preserve_fds = 0;   // descriptors from 3 on that the program gets
  // Of these, the first are sockets of an activation (sd_listen_fds(3)): the program gets LISTEN_FDS and LISTEN_PID.
  unsigned listen_fds = 0;
  bool no_pivot = false;
  bool new_keyring = true;
  bool wait_for_start = true;
  cgroup::ManagerKind manager = cgroup::ManagerKind::kCgroupfs;
  std::string seccomp_cache;      // folder for compiled filters; "": none
  std::string runtime_directory;  // the value of XDG_RUNTIME_DIR, or ""
  sandbox::ArgvArea argv;
};

struct Created {
  Entry entry;  // locked
  State state;
  oci::Spec spec;
  sandbox::Launched launched;         // console: the PTY's master with own_terminal
  std::vector<std::string> warnings;  // what was decided differently from the configuration's words, and why
};

// Errors name the field of the configuration, the step that failed, or the hook. Nothing is left behind then: no process,
// mount, cgroup or state; poststop hooks have run when others had.
Result<Created> Create(const Store& store, const CreateOptions& options);

// For a container that doesn't wait for `start`: returns once its program runs and poststart hooks have run.
Result<void> AwaitStarted(const Created& created);

// `pid` as decimal digits, whole or not at all.
Result<void> WritePidFile(const std::string& path, pid_t pid);

}  // namespace mxc::container
