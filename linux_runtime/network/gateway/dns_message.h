// DNS messages (RFC 1035): what a stub resolver and a resolver's client need. Parsing is the C library's (ns_parserr and its kin);
// names are taken only if they are host names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/network/gateway/address.h"

namespace mxc::network {

// Of <arpa/nameser.h>, whose names are short and many.
inline constexpr size_t kDnsHeader = 12;
inline constexpr uint16_t kTypeA = 1, kTypeAaaa = 28;
inline constexpr uint8_t kNoError = 0, kFormatError = 1, kServerFailure = 2, kNameError = 3, kNotImplemented = 4,
                         kRefused = 5;

struct Question {
  std::string name;  // lower case, no dot at the end; "" when it is no host name
  uint16_t type = 0;
  size_t end = 0;  // of header and question in the message
};

// Of a standard query with one question of class IN. Nothing: it is none, and gets no answer or an error.
std::optional<Question> ParseQuery(std::string_view message);

// An answer to `query`: its question again, and an address of the question's type, or none.
std::string MakeAnswer(std::string_view query, const Question& question, uint8_t code, const Address* address,
                       uint32_t ttl);
// The same for a message that ParseQuery didn't take; "" where no answer is right.
std::string MakeError(std::string_view query, uint8_t code);

std::string MakeQuery(uint16_t id, const std::string& name, uint16_t type);

struct Response {
  uint8_t code = kServerFailure;
  bool truncated = false;
  std::vector<Address> addresses;  // of the name, and of what its aliases lead to
};
// Nothing: it doesn't answer that query.
std::optional<Response> ParseResponse(std::string_view message, uint16_t id, const std::string& name, uint16_t type);

}  // namespace mxc::network
