// Address ranges as policies write them: "10.0.0.0/8", "2001:db8::/32", and a bare address for a single host.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::policy {

struct Cidr {
  bool v6 = false;
  std::array<uint8_t, 16> address{};  // network byte order; IPv4 fills the first four
  uint8_t prefix = 0;                 // 0–32, 0–128

  // True if every address of `other` is in this range. Families never contain each other.
  bool Contains(const Cidr& other) const;
};

// Strict: no names, no zone (%eth0), no leading zeros (010.0.0.1 is octal to some), no bits set behind the prefix.
// IPv6 as RFC 4291 section 2.2 allows, with "::" and an IPv4 tail. Errors are kInvalid and carry no position.
Result<Cidr> ParseCidr(std::string_view text);

}  // namespace mxc::policy
