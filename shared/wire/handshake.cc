#include "shared/wire/handshake.h"

#include <sodium.h>

#include <utility>

#include "shared/wire/frame.h"

namespace mxc::wire {
namespace {

void Update(crypto_generichash_state& state, std::string_view part) {
  std::string size;
  AppendU32(static_cast<uint32_t>(part.size()), size);
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(size.data()), size.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
}

}  // namespace

std::string Transcript::Hash() const {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, kHashSize);
  std::string port_bytes;
  AppendU32(port, port_bytes);
  for (const std::string_view part : {std::string_view(greeting), std::string_view(opening), std::string_view(id),
                                      std::string_view(vm_id), std::string_view(port_bytes)}) {
    Update(state, part);
  }
  std::string hash(kHashSize, '\0');
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  return hash;
}

void Handshake::Begin(Secret secret) {
  stream_ = std::make_unique<SecretStream>(secret.key, side_);
  Wipe(secret.key);
  expected_hash_ = std::move(secret.transcript_hash);
  std::string said(kHandshakeMagic);
  if (side_ == Side::kClient) said.append(id_);
  said.append(stream_->header());
  stream_->Encrypt(expected_hash_, said);
  // A server says nothing to who hasn't shown the key.
  (side_ == Side::kClient ? out_ : answer_) = std::move(said);
}

Handshake Handshake::Client(std::string_view id, Secret secret) {
  Handshake handshake;
  handshake.side_ = Side::kClient;
  handshake.id_ = id;
  handshake.Begin(std::move(secret));
  return handshake;
}

Handshake Handshake::Server(TakeSecret take) {
  Handshake handshake;
  handshake.take_ = std::move(take);
  return handshake;
}

Result<void> Handshake::Receive(std::string_view bytes) {
  in_.append(bytes);
  const bool server = side_ == Side::kServer;
  const size_t start = kHandshakeMagic.size() + (server ? kConnectionIdSize : 0);
  if (!header_taken_) {
    // What is no greeting is refused at once, not waited for.
    const std::string_view seen = std::string_view(in_).substr(0, kHandshakeMagic.size());
    if (seen != kHandshakeMagic.substr(0, seen.size())) {
      return Error(Code::kInvalid, "what answers on this port is not mxc")
          .WithHint("another program may have taken it");
    }
    if (in_.size() < start + kStreamHeaderSize) return {};
    if (server) {
      id_ = in_.substr(kHandshakeMagic.size(), kConnectionIdSize);
      std::optional<Secret> secret = take_(id_);
      if (!secret) {
        return Error(Code::kRefused,
                     "a connection came with an id that was not announced, was used already or is too old");
      }
      Begin(*std::move(secret));
    }
    MXC_TRY(stream_->Start(std::string_view(in_).substr(start, kStreamHeaderSize)));
    in_.erase(0, start + kStreamHeaderSize);
    header_taken_ = true;
  }
  Result<void> decrypted = stream_->Decrypt(in_, plain_);
  in_.clear();
  if (!decrypted.ok()) {
    return Error(Code::kRefused, "the other side doesn't know the key of this connection")
        .WithHint("another program may have taken the port");
  }
  if (done_ || plain_.size() < kHashSize) return {};
  if (sodium_memcmp(plain_.data(), expected_hash_.data(), kHashSize) != 0) {
    return Error(Code::kRefused,
                 "both sides know the key, but not the same conversation before it: something in between changed it");
  }
  plain_.erase(0, kHashSize);
  out_.append(std::exchange(answer_, {}));
  done_ = true;
  return {};
}

std::unique_ptr<SecretStream> Handshake::TakeStream(std::string& plain) {
  plain = std::exchange(plain_, {});
  return std::move(stream_);
}

}  // namespace mxc::wire
