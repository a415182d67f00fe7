// The command line of mxc and mxc.exe, as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace mxc::client {

enum class Command : uint8_t {
  kRun,
  kPlan,
  kSpec,
  kCheck,
  kMigrate,
  kWhy,
  kProfiles,
  kDoctor,
  kHold,  // of mxc.exe's own: keeps a distribution alive for sessions
  kVersion,
  // Of sessions; see wire::Operation.
  kProvision,
  kStart,
  kExec,
  kAttach,
  kStop,
  kDeprovision,
  kList,
  kInspect,
  kLogs,
};
enum class Color : uint8_t { kAuto, kAlways, kNever };

struct Options {
  Command command = Command::kVersion;
  Color color = Color::kAuto;
  std::optional<std::string> policy;      // file; "-": standard input
  std::optional<std::string> profile;     // instead of the policy's
  std::optional<std::string> spec;        // run, plan: an OCI spec instead of a policy; "-": standard input
  std::optional<std::string> host_facts;  // file with HostFacts as JSON, instead of asking this host
  std::optional<std::string> report;      // run: file for the exit report; "-": standard output, behind the program's
  std::string name;                       // label of the run
  bool all = false;                       // check: every path
  bool strict = false;                    // check: a field without effect is an error
  bool json = false;                      // doctor
  bool facts = false;                     // doctor: HostFacts as JSON
  std::vector<std::string> why;           // operation and object
  std::vector<std::string> argv;          // after --
  // Through mxcd.
  bool daemon = false;                             // run
  std::string session;                             // which one
  uint32_t program = 0;                            // attach: which of its programs; 0: the last
  std::vector<std::string> env;                    // exec: NAME=VALUE
  bool clear_env = false;                          // exec: nothing of the session's
  std::string cwd;                                 // exec
  bool detach = false;                             // exec: don't wait for it
  uint32_t timeout_ms = 0;                         // exec; 0: none
  uint32_t idle_timeout_s = 0, lifetime_s = 0;     // provision; 0: none
  std::string distribution, user;                  // of WSL, on Windows; "": the default ones
  uint32_t every_ms = 15'000, linger_ms = 30'000;  // hold: how often it looks for sessions, how long it waits without
  std::string agent, tool_call;                    // who asks, as he says: for the audit
};

// What this build of the program can do; the rest is not offered.
struct Offer {
  bool run = false;            // run, plan, doctor: Linux only
  bool sessions = false;       // run --daemon and the commands of sessions
  bool distributions = false;  // mxcd is in a distribution of WSL: everything goes through it
  std::string program;         // "mxc"
};

struct Parsed {
  std::optional<Options> options;
  std::string message;  // help or a usage error, to be printed
  int exit_code = 0;    // with a message: 0 for help, 125 for a usage error
};

Parsed ParseCommandLine(int argc, char** argv, const Offer& offer);

}  // namespace mxc::client
