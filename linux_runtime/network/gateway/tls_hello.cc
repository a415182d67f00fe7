#include "linux_runtime/network/gateway/tls_hello.h"

#include <algorithm>
#include <initializer_list>

#include "shared/policy/domain.h"

namespace mxc::network {
namespace {

constexpr uint8_t kChangeCipherSpec = 20, kHandshake = 22, kApplicationData = 23;
constexpr uint8_t kClientHello = 1, kHostNameType = 0;
constexpr size_t kRecordHeader = 5;
constexpr uint16_t kServerName = 0;

// Takes from the front; what isn't there makes it bad, and everything after that empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  uint32_t Number(size_t size) {
    uint32_t value = 0;
    for (const char c : Take(size)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  std::string_view Take(size_t size) {
    if (size > bytes_.size()) {
      good_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  // A part with its length in front.
  Reader Part(size_t length_size) { return Reader(Take(Number(length_size))); }
  bool empty() const { return bytes_.empty(); }
  bool good() const { return good_; }
  size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

Hello ReadNames(Reader names) {
  const uint32_t type = names.Number(1);
  const std::string_view text = names.Take(names.Number(2));
  if (!names.good() || type != kHostNameType) return {};
  std::string name = policy::LowerCase(text);
  // Of two names either could be meant.
  if (!names.empty() || !policy::IsHostName(name)) return {};
  return {HelloKind::kNamed, name, 0};
}

Hello ReadClientHello(Reader hello) {
  hello.Take(2 + 32);  // version, random
  hello.Part(1);       // session
  hello.Part(2);       // cipher suites
  hello.Part(1);       // compression
  Reader extensions = hello.Part(2);
  Hello found;
  bool seen = false;
  while (extensions.good() && !extensions.empty()) {
    const uint32_t type = extensions.Number(2);
    Reader data = extensions.Part(2);
    if (type != kServerName) continue;
    if (seen) return {};
    seen = true;
    found = ReadNames(data.Part(2));
  }
  return hello.good() && extensions.good() ? found : Hello{};
}

// Handshake records put together until there is a whole hello. passed_over: records of these types may stand in front of it.
Hello ReadRecords(std::string_view bytes, std::initializer_list<uint32_t> passed_over) {
  std::string message;
  Reader records(bytes);
  while (records.size() >= kRecordHeader) {
    const uint32_t type = records.Number(1);
    records.Number(2);  // the version, which servers take in any spelling
    const uint32_t length = records.Number(2);
    const std::string_view part = records.Take(std::min<size_t>(length, records.size()));
    if (type != kHandshake) {
      const bool skip = std::find(passed_over.begin(), passed_over.end(), type) != passed_over.end();
      if (!skip || !message.empty()) return {};
      if (part.size() < length) break;
      continue;
    }
    if (length == 0) return {};
    message += part;
    if (message.size() < 4) continue;
    Reader handshake(message);
    if (handshake.Number(1) != kClientHello) return {};
    const uint32_t size = handshake.Number(3);
    if (handshake.size() < size) continue;
    // Nothing of another message in its last record.
    if (handshake.size() > size || part.size() < length) return {};
    Hello hello = ReadClientHello(Reader(handshake.Take(size)));
    hello.size = bytes.size() - records.size();
    return hello;
  }
  return {bytes.size() > kMaxHello ? HelloKind::kUnnamed : HelloKind::kPartial, "", 0};
}

bool IsOldHello(std::string_view bytes) {
  return bytes.size() >= 4 && (static_cast<uint8_t>(bytes[0]) & 0x80) != 0 && bytes[2] == kClientHello && bytes[3] <= 3;
}

}  // namespace

Hello ReadHello(std::string_view bytes) {
  if (bytes.empty()) return {HelloKind::kPartial, "", 0};
  const auto first = static_cast<uint8_t>(bytes[0]);
  if (first >= kChangeCipherSpec && first <= kApplicationData) return ReadRecords(bytes, {});
  if ((first & 0x80) != 0 && bytes.size() < 4) return {HelloKind::kPartial, "", 0};
  return {IsOldHello(bytes) ? HelloKind::kUnnamed : HelloKind::kNotTls, "", 0};
}

Hello ReadSecondHello(std::string_view bytes) { return ReadRecords(bytes, {kChangeCipherSpec, kApplicationData}); }

ServerSays ReadServerHello(std::string_view bytes) {
  // SHA-256 of "HelloRetryRequest", in place of the random number.
  constexpr std::string_view kRetry(
      "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2"
      "\xC8\xA8\x33\x9C",
      32);
  constexpr size_t kBefore = kMaxServerHello - kRetry.size();
  if (!bytes.empty() && static_cast<uint8_t>(bytes[0]) != kHandshake) return ServerSays::kSomething;
  if (bytes.size() < kMaxServerHello) return ServerSays::kPartial;
  return bytes.substr(kBefore, kRetry.size()) == kRetry ? ServerSays::kRetry : ServerSays::kSomething;
}

}  // namespace mxc::network
