// One connection of the wire on a socket (or a pair of pipes), driven by a Loop: bytes in, bytes out, keep-alive.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/wire/multiplexer.h"
#include "shared/wire/secret_stream.h"

namespace mxc::transport {

// What another process needs to go on with a connection in the middle, besides its descriptor.
struct Handover {
  std::string unread;  // plain bytes behind the last frame that was taken
  std::string unsent;  // bytes as the transport carries them
  std::string secret;  // SecretStream::Export; "": none
};

// A stranger may pass descriptors (SCM_RIGHTS) whose last close takes as long as he likes: a socket with SO_LINGER, a file of
// FUSE's. The kernel keeps them out of a socket since Linux 6.16 (SO_PASSRIGHTS): true. Else they, and a socket in which some may
// lie unread, are closed in a process that may wait.
bool KeepDescriptorsOut(int socket);
void CloseElsewhere(std::vector<sys::UniqueFd> descriptors);

class Connection : private wire::Receiver {
 public:
  struct Events {
    std::function<Result<void>(std::string_view json)> on_hello = {};
    std::function<Result<void>(std::string_view json)> on_message = {};
    std::function<void(uint32_t stream, std::string_view bytes)> on_data = {};
    std::function<void(uint32_t stream)> on_end = {};
    std::function<void(uint32_t stream)> on_reset = {};
    std::function<void()> on_progress = {};  // streams may have room now
    // Nothing more comes; error: not a clean end. Called once, and nothing else after it. The Connection may be destroyed
    // after the callback only.
    std::function<void(std::optional<Error> error)> on_closed = {};
  };

  // input and output may be the same socket; both become non-blocking. secret: null where the transport needs none.
  Connection(sys::UniqueFd input, sys::UniqueFd output, std::unique_ptr<wire::SecretStream> secret = nullptr);
  // Goes on where another process stopped; the greeting was exchanged.
  static std::unique_ptr<Connection> Resume(sys::UniqueFd socket, Handover handover);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Call before Attach, and again when another part of the program takes the connection over.
  void Listen(Events events) { events_ = std::move(events); }
  void Attach(supervise::Loop& loop);
  // From a loop that ends, or to another one.
  void Detach();
  // Looks at what arrived before Attach (Resume's unread bytes).
  void Start();
  // Plain text that arrived before this object was made.
  void Preload(std::string plain) { unread_ = std::move(plain); }

  wire::Multiplexer& mux() { return mux_; }
  // Sends what waits, as far as the transport takes it. Call after a turn's writes.
  void Flush();
  // Says goodbye, and closes once all is sent: on_closed follows. With a limit of time for a reader that stands still.
  void Finish();
  bool closed() const { return closed_; }
  // Closes now, and tells nobody.
  void Abandon();
  // The other side is a stranger, who must not be able to hold this process up by what he passes.
  void Guard();
  // Bytes that are kept for or from the other side.
  size_t buffered() const { return mux_.buffered() + raw_.size() + unread_.size(); }

  // Takes the connection apart, from within on_message at the latest: what is behind that message stays unread.
  sys::UniqueFd GiveAway(Handover& handover);

  // Pings a silent other side every `period`, and gives it up after three without an answer.
  void KeepAlive(std::chrono::milliseconds period);

 private:
  Result<void> OnHello(std::string_view json) override;
  Result<void> OnMessage(std::string_view json) override;
  void OnData(uint32_t stream, std::string_view bytes) override;
  void OnEnd(uint32_t stream) override;
  void OnReset(uint32_t stream) override;
  void OnBye() override;

  void OnReadable();
  void OnWritable();
  Result<void> Take(std::string_view bytes);
  bool Seal();
  void WatchOutput(bool on);
  void Close(std::optional<Error> error);
  void CloseSoon(std::optional<Error> error);
  void GoOn();
  void Tick();
  void DropWatches();

  sys::UniqueFd input_, output_;
  std::unique_ptr<wire::SecretStream> secret_;
  Events events_;
  wire::Multiplexer mux_;
  supervise::Loop* loop_ = nullptr;
  std::string raw_;  // sealed, or handed over, and not sent yet
  size_t raw_sent_ = 0;
  std::string unread_;
  std::chrono::milliseconds period_{0};
  supervise::Loop::TimerId timer_ = 0, closing_ = 0, more_ = 0;
  uint64_t frames_seen_ = 0;
  int silent_periods_ = 0;
  bool guarded_ = false, abandoned_ = false, output_broken_ = false, finishing_ = false, said_bye_ = false,
       heard_bye_ = false, closed_ = false;
};

}  // namespace mxc::transport
