// The messages of the wire, as JSON objects in kMessage frames: requests of the client's, a reply to each, and events. Fields
// that a reader doesn't know are skipped; an operation or a kind of message that it doesn't know is an error. Every text and list
// has a limit. docs/wire.md is the published form.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace mxc::wire {

// 2: requests may bring floors, which a server of version 1 would skip.
inline constexpr uint32_t kLeastProtocol = 1, kProtocol = 2, kFloorsProtocol = 2;

// The first frame of each side.
struct Hello {
  uint32_t least = kLeastProtocol, most = kProtocol;  // versions of the protocol that the sender speaks
  std::string program;                                // "mxc 0.1.0"
};

enum class Operation : uint8_t {
  kFacts,      // what the host is, for translating on another machine
  kRun,        // a sandbox and one program in it; it ends with the program, or when its client goes
  kProvision,  // a session, checked but not started
  kStart,      // its sandbox is made
  kExec,       // a program in it
  kAttach,     // to a program's streams
  kDetach,     // from them; the program goes on
  kSignal,
  kResize,
  kStop,
  kDeprovision,
  kList,
  kInspect,
  kLogs,  // what a program has said so far, once more
  kPlan,  // the steps that kRun would take
  kOpen,  // from the relay, as root: a connection that will come over hvsocket (handshake.h)
};
std::string_view OperationName(Operation operation);

// Numbers of streams that the sender has opened; 0: none.
struct StreamNumbers {
  uint32_t input = 0, output = 0, error = 0;
  bool operator==(const StreamNumbers&) const = default;
};

struct TerminalSize {
  uint16_t rows = 24, columns = 80;
  bool operator==(const TerminalSize&) const = default;
};

struct ProgramPart {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;  // added to the session's
  bool clear_env = false;                  // nothing of the session's
  std::string cwd;                         // "": the session's
  uint32_t timeout_ms = 0;                 // 0: none
  bool detached = false;                   // runs without a client; what it prints is kept for attach
  bool operator==(const ProgramPart&) const = default;
};

// A managed floor of the client's machine, as a file of /etc/mxc/policy.d would have it: it narrows, as the server's own do.
struct FloorPart {
  std::string name;  // as errors and `why` name it
  std::string text;
  bool operator==(const FloorPart&) const = default;
};

// What a sandbox is to be.
struct PolicyPart {
  std::string text;    // as the file has it; "": none
  std::string source;  // what messages call it
  std::string profile;
  std::string name;  // label
  std::vector<std::string> argv;
  std::string cwd;                              // of the caller
  std::map<std::string, std::string> env;       // of the caller
  std::vector<FloorPart> floors;                // sent only to a server that has agreed on kFloorsProtocol
  std::string spec;                             // what the client made of it; "": the server translates alone
  bool report = false;                          // the whole exit report is wanted
  uint32_t idle_timeout_s = 0, lifetime_s = 0;  // of a session; 0: none
  bool operator==(const PolicyPart&) const = default;
};

// Who asks, beyond what the transport shows: for the audit, never for a decision.
struct Claims {
  std::string agent, tool_call;
  std::string windows_user, windows_sid;  // of mxc.exe's
  bool operator==(const Claims&) const = default;
};

// A connection to come, and whose it will be. All three texts hexadecimal.
struct Announcement {
  std::string id, key, transcript_hash;
  uint32_t uid = 0, gid = 0;
  std::vector<uint32_t> groups;
  bool operator==(const Announcement&) const = default;
};

struct Request {
  uint32_t id = 0;  // comes back in the reply
  Operation operation = Operation::kList;
  std::string session;
  uint32_t program = 0;
  int32_t signal = 0;
  StreamNumbers streams;
  std::optional<TerminalSize> terminal;
  std::optional<PolicyPart> policy;
  std::optional<ProgramPart> exec;
  std::optional<Announcement> announcement;
  Claims claims;
  bool operator==(const Request&) const = default;
};

struct Reply {
  uint32_t id = 0;  // the request's; 0 where that couldn't be read
  std::optional<Error> error;
  std::string session;
  uint32_t program = 0;
  std::string text;  // of facts, list and inspect: JSON
};

// Nothing went wrong, or what did.
Reply ReplyTo(const Request& request);
Reply FailureOf(const Request& request, const Error& error);

// A program ended; nothing more comes on its streams.
struct Exited {
  uint32_t program = 0;
  int32_t exit_code = 125;
  int32_t signal = 0;
  std::string how;     // as an exit report says it
  std::string report;  // JSON, where it was asked for
  std::vector<std::string> warnings;
  std::optional<Error> error;
};

// The program goes on without this client: another one attached, or it asked for it.
struct Detached {
  uint32_t program = 0;
};

std::string WriteHello(const Hello& hello);
Result<Hello> ReadHello(std::string_view json);
// The version that both speak. least: what this side needs. Error: kUnsupported, naming both.
Result<uint32_t> AgreeOn(const Hello& theirs, uint32_t least = kLeastProtocol);
// The least version that a server has to speak for this request.
uint32_t LeastProtocolFor(const Request& request);

std::string WriteRequest(const Request& request);
Result<Request> ReadRequest(std::string_view json);

std::string WriteReply(const Reply& reply);
std::string WriteExited(const Exited& exited);
std::string WriteDetached(const Detached& detached);
struct FromServer {
  std::optional<Reply> reply;  // one of these
  std::optional<Exited> exited;
  std::optional<Detached> detached;
};
Result<FromServer> ReadFromServer(std::string_view json);

}  // namespace mxc::wire
