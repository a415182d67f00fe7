// How a client and mxcd come to trust a stream transport that others can reach too (hvsocket): the client has sent a one-use key
// over a channel that only they two have (wsl.exe's pipe), with an id for it. On the transport then:
//
//   client → server   "MXCHV1\r\n", 16 bytes id, 24 bytes header of its SecretStream, record: transcript's hash
//   server → client   "MXCHV1\r\n", 24 bytes header, record: transcript's hash
//
// The transcript is all that was said before: greeting and opening as they were sent (the key left out), id, VM id, port. So
// each side shows that it has the key, and that nobody changed what led here (no downgrade). The server answers only who has shown
// it. I/O-free.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "shared/base/result.h"
#include "shared/wire/secret_stream.h"

namespace mxc::wire {

inline constexpr std::string_view kHandshakeMagic = "MXCHV1\r\n";
inline constexpr size_t kConnectionIdSize = 16;
inline constexpr size_t kHashSize = 32;

// What both sides know about a connection before it exists.
struct Transcript {
  std::string greeting;  // as the server sent it
  std::string opening;   // as the client sent it, without the key
  std::string id;        // kConnectionIdSize bytes
  std::string vm_id;     // "" where there is none
  uint32_t port = 0;

  // BLAKE2b-256 over all parts, each behind its length.
  std::string Hash() const;
};

struct Secret {
  Key key{};
  std::string transcript_hash;
};

// Gives up the secret of an id, and forgets it: a second connection with the same id finds none.
using TakeSecret = std::function<std::optional<Secret>(std::string_view id)>;

class Handshake {
 public:
  // id, secret: as told over the private channel.
  static Handshake Client(std::string_view id, Secret secret);
  static Handshake Server(TakeSecret take);

  // Takes what arrived. Errors (kRefused): the other side doesn't know the key, or knows of another conversation; an id that
  // is unknown, used up or too old. (kInvalid): not this protocol.
  Result<void> Receive(std::string_view bytes);
  // What is to be sent; taken away.
  std::string TakeOutput() { return std::exchange(out_, {}); }
  // Both sides have shown the key.
  bool done() const { return done_; }
  // After done: the stream, and the plain text that arrived behind the handshake.
  std::unique_ptr<SecretStream> TakeStream(std::string& plain);
  const std::string& id() const { return id_; }

  Handshake() = default;  // of no use until one of the above is assigned

 private:
  void Begin(Secret secret);

  Side side_ = Side::kServer;
  TakeSecret take_;
  std::string id_, expected_hash_, in_, out_, answer_, plain_;
  std::unique_ptr<SecretStream> stream_;
  bool header_taken_ = false, done_ = false;
};

}  // namespace mxc::wire
