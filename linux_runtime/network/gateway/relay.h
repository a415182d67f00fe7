// Carries one TCP connection between two sockets: bytes by splice(2), half-closes, back-pressure. The first bytes of the client may
// have to pass a check before they go on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "linux_runtime/network/gateway/poller.h"
#include "linux_runtime/sys/fd.h"

namespace mxc::network {

// Pipes that are empty, to be used again: a connection has one only while bytes are on their way.
class PipePool {
 public:
  struct Pipe {
    sys::UniqueFd read, write;
  };
  // Without a valid descriptor when there is none to be had.
  Pipe Take();
  void Give(Pipe pipe);

 private:
  std::vector<Pipe> free_;
};

enum class Look : uint8_t { kMore, kPass, kRefuse };

class Relay {
 public:
  // look: sees all that the client sent so far, until it says kPass or kRefuse; end: nothing more comes. Empty: all passes.
  using OnFirstBytes = std::function<Look(std::string_view bytes, bool end)>;

  // on_end is called once, last: the Relay may be destroyed in it. Both sockets are non-blocking and connected.
  Relay(sys::UniqueFd client, sys::UniqueFd server, Poller& poller, PipePool& pipes, OnFirstBytes look,
        std::function<void()> on_end);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint64_t sent() const { return up_.moved; }  // bytes of the client's that the server's socket took
  uint64_t received() const { return down_.moved; }

 private:
  struct Direction {
    int from = -1, to = -1;
    PipePool::Pipe pipe;
    size_t filled = 0;   // bytes in the pipe
    bool waits = false;  // for `to` to take more, with nothing in a pipe
    uint64_t moved = 0;  // bytes that arrived
    bool ended = false, shut = false;
  };

  void Ready(int fd, uint32_t events);
  bool Inspect();           // false: refused, or broken
  bool Pump(Direction& d);  // false: broken
  bool Copy(Direction& d);
  void Update();
  void Reset();

  sys::UniqueFd client_, server_;
  Poller& poller_;
  PipePool& pipes_;
  OnFirstBytes look_;
  std::function<void()> on_end_;
  std::string first_;  // of the client, not yet sent
  bool inspecting_;
  Direction up_, down_;
  uint32_t client_events_ = 0, server_events_ = 0;
  bool client_watched_ = true, server_watched_ = true;
};

// Closes with RST in place of FIN, so that the other side knows that this is no end of a stream.
void CloseHard(sys::UniqueFd& socket);

}  // namespace mxc::network
