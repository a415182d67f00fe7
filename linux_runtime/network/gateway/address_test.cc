#include "linux_runtime/network/gateway/address.h"

#include <doctest/doctest.h>

namespace mxc::network {
namespace {

Address Parse(const char* text) { return Address::Of(*policy::ParseCidr(text)); }

TEST_CASE("What isn't the open internet is special") {
  for (const char* text : {"0.0.0.1",
                           "10.1.2.3",
                           "100.64.0.1",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.1.1",
                           "192.0.2.1",
                           "168.63.129.16",
                           "198.18.0.1",
                           "198.19.255.255",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fd00::1",
                           "fc00::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "64:ff9b::7f00:1",
                           "::7f00:1",
                           "2001::1",
                           "fec0::1"}) {
    CAPTURE(text);
    CHECK(IsSpecial(Parse(text)));
  }
  for (const char* text : {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.0.0.1",
                           "128.0.0.1", "172.15.255.255", "172.32.0.0", "198.17.0.1", "198.20.0.1", "223.255.255.255",
                           "2606:4700:4700::1111", "2a00:1450::1"}) {
    CAPTURE(text);
    CHECK_FALSE(IsSpecial(Parse(text)));
  }
}

TEST_CASE("An IPv4 address in IPv6's clothes is IPv4, from a socket and from a name server") {
  const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
  CHECK(Address::V6(mapped) == Address::V4(0x7F000001));
  CHECK(IsSpecial(Address::V6(mapped)));
}

TEST_CASE("To a socket's address and back") {
  for (const char* text : {"192.0.2.7", "2001:db8::7"}) {
    sockaddr_storage socket;
    const Address address = Parse(text);
    CHECK(address.Fill(8080, socket) == (address.v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in)));
    CHECK(Address::Of(socket) == address);
    CHECK(PortOf(socket) == 8080);
  }
}

}  // namespace
}  // namespace mxc::network
