#include "shared/policy/cidr.h"

#include <doctest/doctest.h>

#include <string>

namespace mxc::policy {
namespace {

TEST_CASE("Address ranges: what is one") {
  for (const char* good :
       {"0.0.0.0/0", "10.0.0.0/8", "192.0.2.1", "192.0.2.1/32", "::/0", "::", "::1", "1::", "2001:db8::/32",
        "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "FE80::1", "1:2:3:4:5:6:7::"}) {
    CAPTURE(good);
    CHECK(ParseCidr(good).ok());
  }
  for (const char* bad : {"",
                          "/8",
                          "10",
                          "10.0.0",
                          "10.0.0.0.0",
                          "10.0.0.256",
                          "010.0.0.0",
                          "10.0.0.0/",
                          "10.0.0.0/33",
                          "10.0.0.0/08",
                          "10.0.0.0/+8",
                          "10.0.0.0/8/8",
                          " 10.0.0.0",
                          "0x0a.0.0.0",
                          "10.0.0.1/31",
                          ":",
                          ":::",
                          "1:::2",
                          "1::2::3",
                          "1:2:3:4:5:6:7",
                          "1:2:3:4:5:6:7:8:9",
                          "1:2:3:4:5:6:7:8::",
                          "12345::",
                          "g::",
                          "fe80::1%eth0",
                          "::1/129",
                          "::1/127",
                          "192.0.2.1::",
                          "::192.0.2.1:1",
                          "[::1]",
                          "localhost"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseCidr(bad).ok());
  }
}

TEST_CASE("Address ranges: what they hold") {
  const auto cidr = [](const char* text) { return ParseCidr(text).value(); };
  CHECK(cidr("10.0.0.0/8").Contains(cidr("10.255.0.1")));
  CHECK(cidr("10.0.0.0/8").Contains(cidr("10.0.0.0/8")));
  CHECK_FALSE(cidr("10.0.0.0/8").Contains(cidr("10.0.0.0/7")));
  CHECK_FALSE(cidr("10.0.0.0/8").Contains(cidr("11.0.0.0/8")));
  CHECK(cidr("192.0.2.128/25").Contains(cidr("192.0.2.200")));
  CHECK_FALSE(cidr("192.0.2.128/25").Contains(cidr("192.0.2.127")));
  CHECK(cidr("::/0").Contains(cidr("2001:db8::1")));
  CHECK_FALSE(cidr("::/0").Contains(cidr("10.0.0.1")));
  CHECK(cidr("2001:db8::/33").Contains(cidr("2001:db8:7fff::")));
  CHECK_FALSE(cidr("2001:db8::/33").Contains(cidr("2001:db8:8000::")));
  CHECK(cidr("::ffff:192.0.2.1").address[12] == 192);
  CHECK(cidr("1::2").address[15] == 2);
}

}  // namespace
}  // namespace mxc::policy
