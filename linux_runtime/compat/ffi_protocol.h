// What libmxc_ffi.so and the lxc-exec that it starts for each sandbox tell each other. The library is loaded into processes
// that it knows nothing of (Node, .NET, Python), with threads, handlers and limits of their own; so it does nothing there but
// start a program and move bytes. Both come from one build: another version is refused.
//
//   lxc-exec --serve-ffi VERSION OPERATION EXPERIMENTAL [ROWS COLUMNS]
//
// Descriptors: 0, 1, 2 the program's streams; kControlFd a SOCK_SEQPACKET socket; kRequestFd a file with the request.
#pragma once

#include <cstdint>

namespace mxc::compat {

inline constexpr char kServeOption[] = "--serve-ffi";
inline constexpr char kProtocolVersion[] = "2";
inline constexpr int kControlFd = 3, kRequestFd = 4;

// OPERATION
inline constexpr char kRun[] = "run";            // kStarted and kEnded, or kFailed
inline constexpr char kPty[] = "pty";            // the same, with a terminal of ROWS × COLUMNS for the program
inline constexpr char kSpec[] = "spec";          // as kRun, from a request of SDK 0.9
inline constexpr char kPhase[] = "phase";        // a state-aware request but exec: kText or kFailed
inline constexpr char kCheckPhase[] = "check";   // the same, of any phase, and nothing is done
inline constexpr char kExec[] = "exec";          // a state-aware exec: as kRun
inline constexpr char kExecPty[] = "exec-pty";   // the same, with a terminal of ROWS × COLUMNS
inline constexpr char kBackends[] = "backends";  // kText
inline constexpr char kSupport[] = "support";    // kText

// To lxc-exec. The end of the socket means kKill, too: the library's process is gone, or wants no more of it.
enum class Command : uint32_t { kKill = 1, kResize = 2 };
struct CommandMessage {
  Command command = Command::kKill;
  uint16_t rows = 0, columns = 0;
};

// To the library. Texts follow the struct, each ended by NUL: of kFailed the message and a hint, of kEnded a JSON array of
// warnings, of kText the answer. None is longer than kMaxText together.
enum class Event : uint32_t { kStarted = 1, kEnded = 2, kFailed = 3, kText = 4 };
struct EventMessage {
  Event event = Event::kFailed;
  int32_t status = 0;  // MXC_STATUS_*, of kFailed
  int32_t exit_code = 0;
  int32_t timed_out = 0;
};
inline constexpr uint32_t kMaxText = 96 * 1024;

}  // namespace mxc::compat
