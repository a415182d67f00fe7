#include "linux_runtime/network/gateway/tls_hello.h"

#include <algorithm>

#include "shared/policy/domain.h"

namespace mxc::network {
namespace {

constexpr uint8_t kHandshake = 22, kClientHello = 1, kHostNameType = 0;
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
  if (!names.good() || type != kHostNameType) return {HelloKind::kUnnamed, ""};
  std::string name = policy::LowerCase(text);
  // Of two names either could be meant.
  if (!names.empty() || !policy::IsHostName(name)) return {HelloKind::kUnnamed, ""};
  return {HelloKind::kNamed, name};
}

Hello ReadClientHello(Reader hello) {
  hello.Take(2 + 32);  // version, random
  hello.Part(1);       // session
  hello.Part(2);       // cipher suites
  hello.Part(1);       // compression
  Reader extensions = hello.Part(2);
  Hello found{HelloKind::kUnnamed, ""};
  bool seen = false;
  while (extensions.good() && !extensions.empty()) {
    const uint32_t type = extensions.Number(2);
    Reader data = extensions.Part(2);
    if (type != kServerName) continue;
    if (seen) return {HelloKind::kUnnamed, ""};
    seen = true;
    found = ReadNames(data.Part(2));
  }
  return hello.good() && extensions.good() ? found : Hello{HelloKind::kUnnamed, ""};
}

}  // namespace

Hello ReadHello(std::string_view bytes) {
  if (bytes.empty()) return {HelloKind::kPartial, ""};
  std::string message;
  Reader records(bytes);
  while (true) {
    if (records.size() < 5) {
      // Of the first record the first bytes tell.
      if (message.empty() && static_cast<uint8_t>(bytes[0]) != kHandshake) return {HelloKind::kNotTls, ""};
      if (message.empty() && bytes.size() > 1 && static_cast<uint8_t>(bytes[1]) != 3) return {HelloKind::kNotTls, ""};
      break;
    }
    const uint32_t type = records.Number(1), major = records.Number(1);
    records.Number(1);
    const uint32_t length = records.Number(2);
    if (type != kHandshake || major != 3) {
      return {message.empty() ? HelloKind::kNotTls : HelloKind::kUnnamed, ""};
    }
    if (length == 0) return {HelloKind::kUnnamed, ""};
    message += records.Take(std::min<size_t>(length, records.size()));
    if (message.size() < 4) {
      if (records.empty()) break;
      continue;
    }
    Reader handshake(message);
    if (handshake.Number(1) != kClientHello) return {HelloKind::kUnnamed, ""};
    const uint32_t size = handshake.Number(3);
    if (handshake.size() >= size) return ReadClientHello(Reader(handshake.Take(size)));
    if (records.empty()) break;
  }
  return {bytes.size() > kMaxHello ? HelloKind::kUnnamed : HelloKind::kPartial, ""};
}

}  // namespace mxc::network
