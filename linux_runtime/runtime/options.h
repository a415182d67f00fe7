// The command line of mxc-runtime: that of runc and crun, so that it takes their place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/runtime/log.h"

namespace mxc::runtime {

enum class Command : uint8_t {
  kCreate,
  kRun,
  kStart,
  kState,
  kKill,
  kDelete,
  kExec,
  kPs,
  kList,
  kPause,
  kResume,
  kUpdate,
  kEvents,
  kSpec,
  kFeatures,
  kCheckpoint,
  kRestore,
  kVersion,
};

// What `update` changes; as text, since most are numbers that may be -1.
struct UpdateOptions {
  std::string resources;  // file, or "-"
  std::optional<int64_t> memory, memory_reservation, memory_swap, kernel_memory, kernel_memory_tcp, cpu_quota,
      cpu_rt_runtime, pids_limit, cpu_idle;
  std::optional<uint64_t> cpu_period, cpu_rt_period, cpu_shares, cpu_burst;
  std::optional<uint16_t> blkio_weight;
  std::string cpuset_cpus, cpuset_mems;
};

struct ExecArguments {
  std::string process, cwd, user, apparmor, label;
  std::vector<std::string> env, capabilities, cgroups;
  std::vector<uint32_t> groups;
  bool tty = false, no_new_privileges = false, ignore_paused = false;
};

struct Options {
  Command command = Command::kVersion;
  // For every command.
  std::string root;  // "": by default
  LogOptions log;
  cgroup::ManagerKind manager = cgroup::ManagerKind::kCgroupfs;
  // Of those that have them.
  std::string id, bundle = ".", config, pid_file, console_socket;
  unsigned preserve_fds = 0;
  unsigned listen_fds = 0;  // not of the command line: TakeInherited
  bool no_pivot = false, no_new_keyring = false, keep = false, detach = false;
  std::string signal = "SIGTERM";
  bool all = false, force = false, quiet = false, stats = false, rootless = false;
  std::string format = "table";
  int interval_ms = 5000;
  ExecArguments exec;
  UpdateOptions update;
  std::vector<std::string> arguments;  // the command of exec, the options of ps
};

struct Parsed {
  std::optional<Options> options;
  int exit_code = 0;  // without options: print `message` and exit
  std::string message;
};

Parsed ParseCommandLine(int argc, char** argv);

}  // namespace mxc::runtime
