// Authenticated encryption of a byte stream in both directions, by libsodium's crypto_secretstream_xchacha20poly1305 with one key a
// direction, both derived from a key that is used for one connection only.
//
// A record is u32 size, then so many bytes: at most kMaxRecord of plain text and 17 of overhead. The stream's end is a
// record with the tag FINAL; a connection that ends without it was cut off. Each 2^20 records the key is changed (tag REKEY).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::wire {

inline constexpr size_t kKeySize = 32;
using Key = std::array<uint8_t, kKeySize>;

inline constexpr size_t kStreamHeaderSize = 24;
inline constexpr size_t kMaxRecord = (64 << 10) - 17;

enum class Side : uint8_t { kClient, kServer };

// Wipes the key's memory, which no optimiser may leave out.
void Wipe(Key& key);
Key NewKey();
std::string RandomBytes(size_t count);
std::string ToHex(std::string_view bytes);
// Bytes of exactly `size`, or "" for anything else.
std::string FromHex(std::string_view hex, size_t size);

class SecretStream {
 public:
  // Derives both directions' keys (crypto_kdf, BLAKE2b; context "mxchv01"). The caller wipes its own copy.
  SecretStream(const Key& key, Side side);
  ~SecretStream();
  SecretStream(const SecretStream&) = delete;
  SecretStream& operator=(const SecretStream&) = delete;

  // The 24 bytes that go before this side's first record.
  const std::string& header() const { return header_; }
  // The other side's. Errors (kInvalid): not a header.
  Result<void> Start(std::string_view header);

  // Appends records that hold the plain text.
  void Encrypt(std::string_view plain, std::string& out);
  // Appends the last record, after which nothing is encrypted any more.
  void Finish(std::string& out);

  // Takes what arrived and appends what could be decrypted. Errors (kRefused): a record that the other side didn't make in this
  // place (changed, repeated, left out, turned back), or anything behind the last one.
  Result<void> Decrypt(std::string_view bytes, std::string& plain);
  // The other side's FINAL was there: an end of the transport is a clean one.
  bool finished() const { return finished_; }

  // Everything that another process needs to go on with this stream. It holds keys: for a trusted process only, over a socket
  // that nobody else has. This object is of no use afterwards.
  std::string Export();
  // nullptr: not what Export made.
  static std::unique_ptr<SecretStream> Import(std::string_view exported);

 private:
  struct State;
  SecretStream();
  void Seal(std::string_view plain, uint8_t tag, std::string& out);

  std::unique_ptr<State> state_;
  std::string header_;
  std::string waiting_;  // an incomplete record
  bool started_ = false, finished_ = false, ended_ = false;
};

}  // namespace mxc::wire
