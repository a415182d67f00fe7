// What mxcd and a session's supervisor say to each other, over the session's control socket: JSON, one message a packet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/wire/message.h"

namespace mxc::daemon {

enum class News : uint8_t {
  kReady,    // the sandbox stands
  kFailed,   // it doesn't, and the supervisor ends
  kEnded,    // it is over
  kProgram,  // one of a session's programs started, or with an exit code, ended
};

// supervisor → mxcd. The first thing a supervisor says to an mxcd that connects is where it is.
struct Told {
  News news = News::kReady;
  std::string policy_digest;
  bool wants_ids = false;        // kReady: the policy was read, and asks for ids and a home before it can be checked
  std::string how;               // kEnded: as an exit report
  std::optional<int> exit_code;  // kEnded, kProgram
  std::string denials;           // kEnded: JSON list of the report's, as far as it fits
  uint64_t denied = 0;           // kEnded: how many refusals were counted
  uint32_t program = 0;          // kProgram
  std::string name;              // kProgram: argv[0]
  wire::Claims claims;           // kProgram: of who asked for it
  std::optional<Error> error;    // kFailed
};
std::string WriteTold(const Told& told);
Result<Told> ReadTold(std::string_view json);

// mxcd → supervisor.
enum class Order : uint8_t {
  kTake = 1,  // with a parcel (the client's request, its connection's state) and the connection's descriptor
  kStop,      // the programs are asked to end, and after a grace the session ends
};

}  // namespace mxc::daemon
