// The server's name in the first bytes of a TLS connection: RFC 8446, 4.1.2 (ClientHello), RFC 6066, 3 (server_name). Anything that
// some server may take for TLS is TLS here: whatever version a record says, alerts in front of the hello (which Go's skips),
// hellos in SSL 2's clothes. The price: what begins with a byte above 127 is held until its fourth.
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
  HelloKind kind = HelloKind::kUnnamed;
  std::string name;  // lower case
  size_t size = 0;   // kNamed: of the records that hold it, and of what was passed over
};

// What a client says after the server asked for another hello (RFC 8446, 4.1.4): the second one, behind records that a server
// passes over then (change_cipher_spec, early data).
Hello ReadSecondHello(std::string_view bytes);

enum class ServerSays : uint8_t {
  kPartial,    // more bytes are needed to say
  kRetry,      // HelloRetryRequest: the client's next hello counts, not the first
  kSomething,  // anything else
};
// Of the first bytes that a server sends.
inline constexpr size_t kMaxServerHello = 5 + 4 + 2 + 32;
ServerSays ReadServerHello(std::string_view bytes);

// A ClientHello may be cut into records; of more than this, none is waited for.
inline constexpr size_t kMaxHello = 16384 + 512;
Hello ReadHello(std::string_view bytes);

}  // namespace mxc::network
