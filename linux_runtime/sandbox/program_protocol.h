// What the supervisor of a sandbox that serves programs asks of it (program_server.h), over the socket pair of rendezvous.h: a
// ProgramRequest, then its strings, each with its terminating zero: cwd, the candidates, argv, env. With kRun three
// descriptors come, the standard streams. The status pipe carries a StatusRecord kStarted without a program once the server is
// ready, then for each program kStarted or kFailed, and kExited at its end. A program's terminal comes over the socket,
// as Message kConsole with its id.
#pragma once

#include <cstdint>

namespace mxc::sandbox {

enum class ServerCall : uint32_t {
  kRun = 1,
  kSignal,  // `number` goes to the program's process group
};

struct ProgramRequest {
  ServerCall call{};
  uint32_t id = 0;                             // of the program, not 0
  uint32_t candidates = 0, argv = 0, env = 0;  // how many strings of each
  int32_t number = 0;
  uint16_t rows = 0, columns = 0;
  uint8_t cwd_required = 1;
  uint8_t terminal_streams = 0;
  uint16_t reserved = 0;
};

inline constexpr unsigned kMostPrograms = 256;             // that run at once
inline constexpr unsigned kMostStrings = 8192;             // of one request
inline constexpr unsigned kMostRequestBytes = 128 * 1024;  // a message of a socket can't be much longer

}  // namespace mxc::sandbox
