#include "linux_runtime/network/gateway/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace mxc::network {
namespace {

constexpr std::string_view kSpecial[] = {
    "0.0.0.0/8",        "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",     "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "168.63.129.16/32",  // Azure's host agent and name server: public by its number, local by its meaning
    "203.0.113.0/24",   "224.0.0.0/4",  "240.0.0.0/4",    "::/128",         "::1/128",        "::/96",
    "::ffff:0:0/96",    "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",       "2001::/23",      "2001:db8::/32",
    "2002::/16",        "3fff::/20",    "5f00::/16",      "fc00::/7",       "fe80::/10",      "fec0::/10",
    "ff00::/8"};

const std::vector<policy::Cidr>& Special() {
  static const std::vector<policy::Cidr> ranges = [] {
    std::vector<policy::Cidr> parsed;
    for (const std::string_view text : kSpecial) parsed.push_back(policy::ParseCidr(text).value());
    return parsed;
  }();
  return ranges;
}

}  // namespace

Address Address::V4(uint32_t address) {
  Address made;
  const uint32_t bytes = htonl(address);
  std::memcpy(made.bytes.data(), &bytes, sizeof bytes);
  return made;
}

Address Address::V6(const uint8_t (&address)[16]) {
  Address made;
  // ::ffff:a.b.c.d
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(address, kMapped, sizeof kMapped) == 0) {
    std::memcpy(made.bytes.data(), address + sizeof kMapped, 4);
    return made;
  }
  made.v6 = true;
  std::copy(std::begin(address), std::end(address), made.bytes.begin());
  return made;
}

Address Address::Of(const sockaddr_storage& socket) {
  if (socket.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &socket, sizeof in);
    return V4(ntohl(in.sin_addr.s_addr));
  }
  sockaddr_in6 in6;
  std::memcpy(&in6, &socket, sizeof in6);
  return V6(in6.sin6_addr.s6_addr);
}

Address Address::Of(const policy::Cidr& range) { return {range.v6, range.address}; }

uint32_t Address::AsV4() const {
  uint32_t address = 0;
  std::memcpy(&address, bytes.data(), sizeof address);
  return ntohl(address);
}

socklen_t Address::Fill(uint16_t port, sockaddr_storage& socket) const {
  socket = {};
  if (v6) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(in6.sin6_addr.s6_addr, bytes.data(), 16);
    std::memcpy(&socket, &in6, sizeof in6);
    return sizeof in6;
  }
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  std::memcpy(&in.sin_addr, bytes.data(), 4);
  std::memcpy(&socket, &in, sizeof in);
  return sizeof in;
}

policy::Cidr Address::AsCidr() const { return {v6, bytes, static_cast<uint8_t>(v6 ? 128 : 32)}; }

uint16_t PortOf(const sockaddr_storage& socket) {
  if (socket.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &socket, sizeof in);
    return ntohs(in.sin_port);
  }
  sockaddr_in6 in6;
  std::memcpy(&in6, &socket, sizeof in6);
  return ntohs(in6.sin6_port);
}

bool IsSpecial(const Address& address) {
  const policy::Cidr one = address.AsCidr();
  return std::any_of(Special().begin(), Special().end(),
                     [&](const policy::Cidr& range) { return range.Contains(one); });
}

}  // namespace mxc::network
