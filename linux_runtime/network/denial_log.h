// What a sandbox's rules refused, as the kernel logs it: destination and rule of each packet, added up. For reports only:
// a sandbox that floods loses lines here, while the rules' own counters stay right.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "linux_runtime/network/netlink.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::network {

struct Refusal {
  uint32_t label = 0;  // as the rules' labels
  std::string what;    // "tcp 192.0.2.1:443", "icmp 2001:db8::1"
  uint64_t count = 0;
};

class DenialLog {
 public:
  static constexpr size_t kMostDestinations = 256;

  // Listens from now on. Error: kSystem.
  static Result<DenialLog> OpenIn(const NetworkNamespace& there, uint16_t group);

  int fd() const { return socket_.get(); }
  // Reads what is there, without waiting, up to `most` messages: a program that is refused as fast as it can would keep
  // its supervisor here for good.
  void Read(int most = 64);
  // Sorted by label and destination.
  std::vector<Refusal> Refusals() const;

 private:
  explicit DenialLog(sys::UniqueFd socket) : socket_(std::move(socket)) {}
  sys::UniqueFd socket_;
  std::map<std::pair<uint32_t, std::string>, uint64_t> seen_;
};

// "tcp 192.0.2.1:443" of a packet's first bytes; its source when `source`. "" of what is no IP packet.
std::string DescribePacket(std::string_view packet, bool source);

}  // namespace mxc::network
