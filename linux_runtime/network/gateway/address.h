// Addresses of both families, compared as bytes.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <string>

#include "shared/base/result.h"
#include "shared/policy/cidr.h"

namespace mxc::network {

struct Address {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // network byte order; IPv4 fills the first four
  auto operator<=>(const Address&) const = default;

  static Address V4(uint32_t address);
  static Address V6(const uint8_t (&address)[16]);
  // IPv4-mapped and IPv4-compatible forms of IPv6 are IPv4.
  static Address Of(const sockaddr_storage& socket);
  static Address Of(const policy::Cidr& range);  // its first
  uint32_t AsV4() const;
  // For connect(2): its size.
  socklen_t Fill(uint16_t port, sockaddr_storage& socket) const;
  policy::Cidr AsCidr() const;
};

uint16_t PortOf(const sockaddr_storage& socket);

// Nothing that is reached over the open internet: this network, private and shared space, loopback, link-local (the metadata
// services of clouds), documentation, benchmarks, multicast, reserved; of IPv6 also what carries an IPv4 address (6to4, Teredo,
// NAT64). Source: the IANA special-purpose address registries (RFC 6890).
bool IsSpecial(const Address& address);

}  // namespace mxc::network
