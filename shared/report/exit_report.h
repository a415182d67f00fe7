// What a run leaves behind for people and programs: how it ended, what it used, what held it, what it was denied.
// The JSON form is described in docs/report.md and docs/exit-report.schema.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mxc::report {

// Raised when a field changes its meaning or goes; new fields alone don't raise it.
inline constexpr int kSchemaVersion = 1;

enum class How : uint8_t {
  kExited,         // the program ended by itself
  kSignaled,       // a signal ended the program
  kTimedOut,       // the time was over; however the program ended after that
  kKilled,         // killed by us: a second Ctrl-C, or a rule that says so
  kFailedToStart,  // a step before the program's first instruction failed
  kLost,           // its first process was killed (out of memory, kill -9), so that nobody saw the program's end
};

enum class Strength : uint8_t { kEnforced, kWeaker, kNotApplicable };

// A limit and how often the run came up against it.
struct LimitUse {
  std::string name;               // "memory", "pids", "tmp" …: the field of x-linux.resources
  std::optional<uint64_t> limit;  // in the field's unit; absent: none
  std::optional<uint64_t> peak;
  uint64_t hits = 0;
};

// What enforces one field of the policy.
struct Applied {
  std::string field;  // JSON pointer into the effective policy: "/network/egress/default"
  Strength strength = Strength::kEnforced;
  std::vector<std::string> layers;  // "mount", "landlock", "seccomp", "cgroup v1", "rlimit", "netns" …
  std::string note;                 // why weaker, or why not applicable
};

struct PathLine {
  std::string path;
  std::string access;               // "deny", "ro", "rw"
  std::string origin;               // which rule: "p.json#/filesystem/deniedPaths/0"
  std::vector<std::string> layers;  // "mount", "landlock"; empty: only the layer above it holds
};

// A denied name that could be opened for a while, because someone outside replaced it.
struct Exposure {
  std::string path;
  uint64_t window_us = 0;
  std::string how;  // "covered", "killed"
};

// A denied or protected name that the program made, and where it is now.
struct Moved {
  std::string path;
  std::string to;
};

struct Denial {
  std::string source;  // who saw it: "seccomp", "landlock", "cover", "terminal" …
  std::string what;    // the operation and its object
  std::string rule;
  uint64_t count = 1;
};

// What went to a name and came back.
struct NameUse {
  std::string name;
  uint64_t connections = 0;
  uint64_t sent_bytes = 0, received_bytes = 0;
};

struct ReportError {
  std::string message;
  std::string hint;
  std::string step;  // of the plan: "mount proc on /proc (step 7 of 31)"
  std::string path;
  std::string errno_name;  // "EPERM"
};

struct ExitReport {
  std::string run;
  std::string policy;         // file, as the user gave it
  std::string policy_digest;  // "sha256:…"
  std::string profile;
  std::string program;  // argv[0]

  How how = How::kLost;
  int exit_code = 125;        // what mxc ended with
  std::optional<int> signal;  // that ended the program
  std::string killed_because;
  bool timed_out = false;
  bool out_of_memory = false;
  bool left_running = false;  // processes could not be killed

  int64_t start_unix_us = 0;  // UTC, microseconds since 1970
  int64_t end_unix_us = 0;
  uint64_t wall_us = 0;
  uint64_t user_us = 0;
  uint64_t system_us = 0;
  std::optional<uint64_t> peak_memory_bytes;  // of the whole container; absent: nobody counted
  uint64_t max_rss_bytes = 0;                 // of its largest process

  std::vector<LimitUse> limits;
  std::vector<Applied> applied;
  std::vector<PathLine> paths;
  std::vector<Exposure> exposures;
  std::vector<Moved> moved;
  std::vector<Denial> denials;
  std::vector<NameUse> names;
  std::vector<std::string> warnings;
  std::optional<ReportError> error;
};

const char* HowName(How how);  // "exited", "signaled", "timed-out", "killed", "failed-to-start", "lost"

// "2026-11-23T22:45:03.123456Z".
std::string IsoTime(int64_t unix_us);

// Indented, ends in a newline, and pure ASCII, so that it can be shown on a terminal whatever the names in it are.
// Bytes outside of UTF-8 appear as the text \xNN.
std::string ToJson(const ExitReport& report);

}  // namespace mxc::report
