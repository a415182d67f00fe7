// The server's name in the first bytes of a TLS connection: RFC 8446, 4.1.2 (ClientHello), RFC 6066, 3 (server_name).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mxc::network {

enum class HelloKind : uint8_t {
  kNotTls,   // something else
  kPartial,  // more bytes are needed to say
  kNamed,    // a ClientHello with a name
  kUnnamed,  // one without, or one that can't be read
};

struct Hello {
  HelloKind kind = HelloKind::kNotTls;
  std::string name;  // lower case
};

// A ClientHello may be cut into records; of more than this, none is waited for.
inline constexpr size_t kMaxHello = 16384 + 512;
Hello ReadHello(std::string_view bytes);

}  // namespace mxc::network
