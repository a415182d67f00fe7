#include "linux_runtime/network/denial_log.h"

#include <doctest/doctest.h>

#include <random>

namespace mxc::network {
namespace {

std::string Ipv4(uint8_t words, uint8_t protocol, std::string rest) {
  std::string packet(20, '\0');
  packet[0] = static_cast<char>(0x40 | words);
  packet[9] = static_cast<char>(protocol);
  packet.replace(12, 8, std::string("\x0A\0\0\x01\xC0\0\x02\x07", 8));
  return packet + std::string(size_t{4} * words - 20, '\x01') + rest;
}

TEST_CASE("What a refused packet was, by its first bytes") {
  const std::string ports("\x9C\x40\x01\xBB", 4);
  CHECK(DescribePacket(Ipv4(5, 6, ports), false) == "tcp 192.0.2.7:443");
  CHECK(DescribePacket(Ipv4(7, 17, ports), false) == "udp 192.0.2.7:443");
  CHECK(DescribePacket(Ipv4(5, 6, ports), true) == "tcp 10.0.0.1 to port 443");
  CHECK(DescribePacket(Ipv4(5, 1, ports), false) == "icmp 192.0.2.7");
  CHECK(DescribePacket(Ipv4(5, 132, ports), false) == "protocol 132 192.0.2.7");
  CHECK(DescribePacket(Ipv4(5, 6, ports.substr(0, 3)), false) == "tcp 192.0.2.7");
  std::string v6(40, '\0');
  v6[0] = 0x60;
  v6[6] = 17;
  v6[24] = 0x20;
  v6[25] = 0x01;
  v6[39] = 1;
  CHECK(DescribePacket(v6 + ports, false) == "udp [2001::1]:443");
}

TEST_CASE("What is no packet is nothing, whatever it says of its own length") {
  CHECK(DescribePacket("", false).empty());
  CHECK(DescribePacket(std::string(1, '\x4F'), false).empty());
  CHECK(DescribePacket(std::string(30, '\x4F'), false).empty());
  CHECK(DescribePacket(std::string(39, '\x60'), false).empty());
  std::mt19937 random(5);
  for (int round = 0; round < 20000; ++round) {
    std::string packet(random() % 80, '\0');
    for (char& byte : packet) byte = static_cast<char>(random());
    const std::string text = DescribePacket(packet, round % 2 == 0);
    CHECK(text.size() < 100);
  }
}

}  // namespace
}  // namespace mxc::network
