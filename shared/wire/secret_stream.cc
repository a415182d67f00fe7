#include "shared/wire/secret_stream.h"

#include <sodium.h>
#include <string.h>

#include <algorithm>

#include "shared/wire/frame.h"

namespace mxc::wire {
namespace {

static_assert(kStreamHeaderSize == crypto_secretstream_xchacha20poly1305_HEADERBYTES);
static_assert(kKeySize == crypto_secretstream_xchacha20poly1305_KEYBYTES && kKeySize == crypto_kdf_KEYBYTES);
constexpr size_t kOverhead = crypto_secretstream_xchacha20poly1305_ABYTES;
static_assert(kMaxRecord + kOverhead == 64 << 10);

constexpr uint64_t kRekeyAfter = 1 << 20;
constexpr char kContext[crypto_kdf_CONTEXTBYTES + 1] = "mxchv01";
constexpr uint64_t kClientToServer = 1, kServerToClient = 2;

void Initialise() {
  static const int kDone = sodium_init();  // idempotent; fails only without a source of random numbers
  if (kDone < 0) ::abort();
}

Error Forged() {
  return Error(Code::kRefused,
               "a record of the encrypted stream is not what the other side sent there: it was changed, repeated or "
               "left out")
      .WithHint("something between the two programs interferes; the connection is closed");
}

}  // namespace

struct SecretStream::State {
  crypto_secretstream_xchacha20poly1305_state push{}, pull{};
  Key pull_key{};
  uint64_t records = 0;

  State() { sodium_mlock(this, sizeof *this); }  // best effort
  ~State() { sodium_munlock(this, sizeof *this); }
};

void Wipe(Key& key) { sodium_memzero(key.data(), key.size()); }

Key NewKey() {
  Initialise();
  Key key;
  randombytes_buf(key.data(), key.size());
  return key;
}

std::string RandomBytes(size_t count) {
  Initialise();
  std::string bytes(count, '\0');
  randombytes_buf(bytes.data(), count);
  return bytes;
}

std::string ToHex(std::string_view bytes) {
  std::string hex(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  hex.pop_back();
  return hex;
}

std::string FromHex(std::string_view hex, size_t size) {
  std::string bytes(size, '\0');
  size_t length = 0;
  const char* end = nullptr;
  const int failed = sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), size, hex.data(), hex.size(),
                                    nullptr, &length, &end);
  return failed == 0 && length == size && end == hex.data() + hex.size() ? bytes : "";
}

SecretStream::SecretStream() {
  Initialise();
  state_ = std::make_unique<State>();
}

SecretStream::SecretStream(const Key& key, Side side) : SecretStream() {
  const bool client = side == Side::kClient;
  Key push_key;
  crypto_kdf_derive_from_key(push_key.data(), kKeySize, client ? kClientToServer : kServerToClient, kContext,
                             key.data());
  crypto_kdf_derive_from_key(state_->pull_key.data(), kKeySize, client ? kServerToClient : kClientToServer, kContext,
                             key.data());
  header_.resize(kStreamHeaderSize);
  crypto_secretstream_xchacha20poly1305_init_push(&state_->push, reinterpret_cast<unsigned char*>(header_.data()),
                                                  push_key.data());
  Wipe(push_key);
}

SecretStream::~SecretStream() = default;

Result<void> SecretStream::Start(std::string_view header) {
  if (started_ || header.size() != kStreamHeaderSize ||
      crypto_secretstream_xchacha20poly1305_init_pull(
          &state_->pull, reinterpret_cast<const unsigned char*>(header.data()), state_->pull_key.data()) != 0) {
    return Error(Code::kInvalid, "the start of the encrypted stream is malformed");
  }
  Wipe(state_->pull_key);
  started_ = true;
  return {};
}

void SecretStream::Seal(std::string_view plain, uint8_t tag, std::string& out) {
  if (ended_) return;
  const size_t size = plain.size() + kOverhead;
  AppendU32(static_cast<uint32_t>(size), out);
  const size_t at = out.size();
  out.resize(at + size);
  if (++state_->records % kRekeyAfter == 0 && tag == 0) tag = crypto_secretstream_xchacha20poly1305_TAG_REKEY;
  // The size is authenticated by the record itself: another one decrypts to nothing.
  crypto_secretstream_xchacha20poly1305_push(&state_->push, reinterpret_cast<unsigned char*>(out.data() + at), nullptr,
                                             reinterpret_cast<const unsigned char*>(plain.data()), plain.size(),
                                             nullptr, 0, tag);
}

void SecretStream::Encrypt(std::string_view plain, std::string& out) {
  while (!plain.empty()) {
    const size_t size = std::min(plain.size(), kMaxRecord);
    Seal(plain.substr(0, size), crypto_secretstream_xchacha20poly1305_TAG_MESSAGE, out);
    plain.remove_prefix(size);
  }
}

void SecretStream::Finish(std::string& out) {
  Seal({}, crypto_secretstream_xchacha20poly1305_TAG_FINAL, out);
  ended_ = true;
}

Result<void> SecretStream::Decrypt(std::string_view bytes, std::string& plain) {
  if (!started_) return Error(Code::kInternal, "the encrypted stream is read before its start");
  waiting_.append(bytes);
  std::string_view left = waiting_;
  while (left.size() >= 4) {
    const uint32_t size = ReadU32(left);
    if (finished_ || size < kOverhead || size > kMaxRecord + kOverhead) return Forged();
    if (left.size() < 4 + size_t{size}) break;
    const size_t at = plain.size();
    plain.resize(at + size - kOverhead);
    unsigned char tag = 0;
    if (crypto_secretstream_xchacha20poly1305_pull(
            &state_->pull, reinterpret_cast<unsigned char*>(plain.data() + at), nullptr, &tag,
            reinterpret_cast<const unsigned char*>(left.data() + 4), size, nullptr, 0) != 0) {
      plain.resize(at);
      return Forged();
    }
    finished_ = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    left.remove_prefix(4 + size);
  }
  if (finished_ && !left.empty()) return Forged();
  waiting_.erase(0, waiting_.size() - left.size());
  return {};
}

std::string SecretStream::Export() {
  std::string text;
  text.push_back(static_cast<char>((started_ ? 1 : 0) | (finished_ ? 2 : 0) | (ended_ ? 4 : 0)));
  text.append(reinterpret_cast<const char*>(state_.get()), sizeof *state_);
  text.append(waiting_);
  ended_ = true;
  sodium_memzero(state_.get(), sizeof *state_);
  return text;
}

std::unique_ptr<SecretStream> SecretStream::Import(std::string_view exported) {
  if (exported.size() < 1 + sizeof(State) || exported.size() > 1 + sizeof(State) + 2 * kMaxRecord) return nullptr;
  std::unique_ptr<SecretStream> stream(new SecretStream());
  const int flags = exported[0];
  stream->started_ = (flags & 1) != 0;
  stream->finished_ = (flags & 2) != 0;
  stream->ended_ = (flags & 4) != 0;
  memcpy(static_cast<void*>(stream->state_.get()), exported.data() + 1, sizeof(State));
  stream->waiting_ = exported.substr(1 + sizeof(State));
  return stream;
}

}  // namespace mxc::wire
