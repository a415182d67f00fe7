// One program of a session, seen from its supervisor: its pipes or its terminal on one side, the streams of a client's connection on
// the other. What a session's program prints is kept, up to kKept bytes: a client that attaches later gets it first. With a
// client attached nothing is lost: when it stands still, the program does, too. Without one the oldest is dropped.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/transport/connection.h"
#include "shared/base/result.h"
#include "shared/wire/message.h"

namespace mxc::daemon {

class Program {
 public:
  static constexpr size_t kKept = 256 << 10;

  // keeps: what it prints is kept for clients to come.
  Program(uint32_t id, bool terminal, bool keeps) : id_(id), terminal_(terminal), keeps_(keeps) {}
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The ends that the program gets. With a terminal: /dev/null, which the terminal takes the place of.
  Result<void> MakeStreams(sys::UniqueFd (&theirs)[3]);
  void SetConsole(sys::UniqueFd console);  // the terminal's master
  void Attach(supervise::Loop& loop);      // from when on streams are carried
  void DetachLoop();

  // The client whose streams these are, or null. Its streams are open in its multiplexer.
  void SetClient(transport::Connection* client, const wire::StreamNumbers& streams);
  transport::Connection* client() const { return client_; }
  const wire::StreamNumbers& streams() const { return streams_; }

  void OnData(std::string_view bytes);  // of the input's stream
  void OnEnd();                         // of the input's stream
  void OnReset(uint32_t stream);        // the client reads this output no more: the program sees a closed pipe
  void OnProgress();                    // the client may have room
  void Resize(const wire::TerminalSize& size);

  // What it has said so far, as a program that is over: a client that is set gets it all, then on_drained is called.
  std::unique_ptr<Program> Copy() const;
  // The program is over: what is still in its pipes is read as far as it can be without waiting for somebody else who holds
  // them; on_drained follows once the client has all of it.
  void Ended(const sandbox::StatusRecord& record);
  std::function<void()> on_drained;

  uint32_t id() const { return id_; }
  bool terminal() const { return terminal_; }
  const std::optional<sandbox::StatusRecord>& end() const { return end_; }
  uint64_t lost() const { return lost_; }
  std::optional<Error> failure;  // why it didn't start
  std::optional<sandbox::StatusRecord> failed;
  std::string name, cwd;  // argv[0], and where it starts
  wire::Claims claims;    // of who asked for it
  int64_t started_unix_s = 0;
  bool timed_out = false;
  supervise::Loop::TimerId timeout = 0;
  bool told = false;  // its end was sent to the client

 private:
  struct Piece {
    bool error = false;
    std::string bytes;
  };
  struct Output {
    sys::UniqueFd fd;
    bool error = false;
    bool watched = false;
  };

  void Read(Output& output);
  void Pass(bool error, std::string_view bytes);
  void Keep(bool error, std::string_view bytes);
  void Send();
  void SendInput();
  void Watch(Output& output, bool on);
  void Settle();
  size_t Room(bool error) const;
  uint32_t StreamOf(bool error) const { return error ? streams_.error : streams_.output; }

  uint32_t id_;
  bool terminal_, keeps_;
  supervise::Loop* loop_ = nullptr;
  transport::Connection* client_ = nullptr;
  wire::StreamNumbers streams_;
  Output out_, err_{{}, true, false};
  sys::UniqueFd in_, console_;
  std::string typed_;  // for the program, at most a window of it
  bool input_ended_ = false, input_watched_ = false;
  std::deque<Piece> kept_;
  uint64_t kept_bytes_ = 0;  // all of kept_
  uint64_t unsent_ = 0;      // its last bytes, which the client doesn't have yet
  uint64_t lost_ = 0;
  std::optional<sandbox::StatusRecord> end_;
  bool drained_ = false;
};

}  // namespace mxc::daemon
