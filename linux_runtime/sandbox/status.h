// What the container's first process tells its supervisor, over a close-on-exec pipe: fixed-size records, each written
// whole (they are far below PIPE_BUF). End of file without kExited means that the first process was killed.
#pragma once

#include <cstdint>

namespace mxc::sandbox {

enum class StatusKind : uint32_t {
  kFailed = 1,   // a step of the plan failed; nothing of the user's ran
  kStarted = 2,  // the program's exec succeeded or is about to; `pid` is its id inside the container
  kExited = 3,   // the program ended; `wait_status` as from waitpid, times and memory of it and its waited-for children
};

struct StatusRecord {
  StatusKind kind;
  uint32_t step;         // kFailed: index into Plan::steps, or kStep* below
  int32_t error;         // kFailed: errno
  int32_t pid;           // kStarted; kStepHook: the hook's index in its list; kStepJoin: the namespace's index
  int32_t wait_status;   // kExited; kStepHook: of the hook, 0 when it was not run or had no time left
  uint32_t program;      // of a sandbox that serves programs: which one (program_server.h); else 0
  uint64_t user_us;      // kExited: CPU time in user mode, microseconds
  uint64_t system_us;    // kExited
  uint64_t max_rss_kib;  // kExited: largest resident set of one process
};

// Steps outside the plan's list.
inline constexpr uint32_t kStepExec = 0xffffff00;  // execve: 126 or 127 by errno
inline constexpr uint32_t kStepFork = 0xffffff01;
inline constexpr uint32_t kStepCapabilities = 0xffffff02;
inline constexpr uint32_t kStepNoNewPrivileges = 0xffffff03;
inline constexpr uint32_t kStepLandlock = 0xffffff04;
inline constexpr uint32_t kStepConsole = 0xffffff05;
inline constexpr uint32_t kStepChdir = 0xffffff06;
inline constexpr uint32_t kStepDescriptors = 0xffffff07;
inline constexpr uint32_t kStepSeccomp = 0xffffff08;
inline constexpr uint32_t kStepNotDumpable = 0xffffff09;
inline constexpr uint32_t kStepJoin = 0xffffff0a;
inline constexpr uint32_t kStepHook = 0xffffff0b;   // startContainer; createContainer hooks fail at their plan's step
inline constexpr uint32_t kStepReady = 0xffffff0c;  // the talk with the runtime at the end of `create`
// Of a bundle's process.
inline constexpr uint32_t kStepGroups = 0xffffff10;
inline constexpr uint32_t kStepGid = 0xffffff11;
inline constexpr uint32_t kStepUid = 0xffffff12;
inline constexpr uint32_t kStepStreams = 0xffffff13;
inline constexpr uint32_t kStepAffinity = 0xffffff14;
inline constexpr uint32_t kStepScheduler = 0xffffff15;
inline constexpr uint32_t kStepIoPriority = 0xffffff16;
inline constexpr uint32_t kStepMemoryPolicy = 0xffffff17;
inline constexpr uint32_t kStepPersonality = 0xffffff18;
inline constexpr uint32_t kStepFindProgram = 0xffffff19;  // args[0] as its user sees it: ENOENT 127, EACCES 126
inline constexpr uint32_t kStepInitialAffinity = 0xffffff1a;
inline constexpr uint32_t kStepOomScore = 0xffffff1b;
inline constexpr uint32_t kStepRlimitBase = 0xffffff40;  // plus the RLIMIT_* number

// Signals that the supervisor sends to the first process (which is our reaper when Plan::reaper is set) are passed on
// to the program's process group; SIGKILL ends everything.
struct Running {
  int pid = -1;      // of the container's first process, in the supervisor's pid namespace
  int pidfd = -1;    // owned by the supervisor
  int status = -1;   // read end of the status pipe
  int console = -1;  // master of the PTY, or -1: standard streams are inherited
};

}  // namespace mxc::sandbox
