// Carries one TCP connection between two sockets: bytes by splice(2), half-closes, back-pressure. The first bytes may have to pass
// an inspection before they go on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/network/gateway/inspection.h"
#include "linux_runtime/network/gateway/poller.h"
#include "linux_runtime/sys/fd.h"

namespace mxc::network {

// Pipes that are empty, to be used again: a connection has one only while bytes are on their way.
class PipePool {
 public:
  struct Pipe {
    sys::UniqueFd read, write;
  };
  // most: at one time.
  explicit PipePool(size_t most) : most_(most) {}
  // Without a valid descriptor when there is none to be had.
  Pipe Take();
  // Of an empty one; or of one that is thrown away with what is in it.
  void Give(Pipe pipe);
  void Discard(Pipe pipe);

 private:
  const size_t most_;
  size_t taken_ = 0;
  std::vector<Pipe> free_;
};

class Relay {
 public:
  // inspection: nothing, or what the first bytes have to pass. on_end is called once, last: the Relay may be destroyed in it. Both
  // sockets are non-blocking and connected.
  Relay(sys::UniqueFd client, sys::UniqueFd server, Poller& poller, PipePool& pipes,
        std::optional<HelloInspection> inspection, std::function<void()> on_end);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // What may still be sent, by this and others that share it: each takes what it sends away, and one that has more to send when
  // nothing is left calls on_spent and ends. `left` outlives this.
  void Limit(uint64_t* left, std::function<void()> on_spent);

  uint64_t sent() const { return up_.moved; }  // bytes of the client's that the server's socket took
  uint64_t received() const { return down_.moved; }

 private:
  struct Direction {
    int from = -1, to = -1;
    std::string ahead;  // bytes that go first, not yet sent
    PipePool::Pipe pipe;
    size_t filled = 0;   // bytes in the pipe
    bool waits = false;  // for `to` to take more, with nothing in a pipe
    uint64_t moved = 0;  // bytes that arrived
    bool ended = false, shut = false;
  };

  // All false: refused, or broken.
  void Ready(bool client, uint32_t events);
  bool Inspect(bool client);
  bool HoldClient();
  bool ListenToServer();
  bool Apply(const Seen& seen);
  bool SendAhead(Direction& d);
  bool Pump(Direction& d);
  bool Copy(Direction& d);
  size_t Allowed(const Direction& d, size_t size) const;
  void Took(const Direction& d, size_t size);
  bool AtEnd(Direction& d);
  void Update();
  void Reset();

  sys::UniqueFd client_, server_;
  Poller& poller_;
  PipePool& pipes_;
  std::optional<HelloInspection> inspection_;
  std::function<void()> on_end_;
  uint64_t* left_ = nullptr;
  std::function<void()> on_spent_;
  std::string held_;  // of the client, not yet let through
  std::string server_first_;
  bool waits_for_server_ = false;
  Direction up_, down_;
  uint32_t client_events_ = 0, server_events_ = 0;
  bool client_watched_ = true, server_watched_ = true;
};

// Closes with RST in place of FIN, so that the other side knows that this is no end of a stream.
void CloseHard(sys::UniqueFd& socket);

}  // namespace mxc::network
