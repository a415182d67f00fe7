#include "linux_runtime/network/denial_log.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

#include "linux_runtime/network/rtnetlink.h"
#include "linux_runtime/network/rules.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

constexpr size_t kMessageBytes = size_t{16} * 1024;

template <class T>
std::string_view Raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

Result<void> Configure(int socket, uint16_t group, uint16_t attribute, std::string_view data) {
  Request request(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK,
                  nfgenmsg{AF_UNSPEC, NFNETLINK_V0, htons(group)});
  request.Add(attribute, data);
  const std::string& bytes = request.bytes();
  char answer[1024];
  long got = sys::Check(::send(socket, bytes.data(), bytes.size(), 0));
  if (got >= 0) got = sys::Check(::recv(socket, answer, sizeof answer, 0));
  int error = -EBADMSG;
  if (got >= static_cast<long>(NLMSG_HDRLEN + sizeof error)) std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
  if (got < 0) error = static_cast<int>(got);
  if (error >= 0) return {};
  return sys::SystemError("listen to what the sandbox's network rules refuse", -error)
      .WithHint("the kernel needs nfnetlink_log; see `mxc doctor`");
}

std::string ProtocolName(uint8_t number) {
  switch (number) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return "icmp";
    default:
      return "protocol " + std::to_string(number);
  }
}

}  // namespace

std::string DescribePacket(std::string_view packet, bool source) {
  if (packet.empty()) return "";
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(packet[at]); };
  const bool v6 = byte(0) >> 4 == 6;
  if (!v6 && byte(0) >> 4 != 4) return "";
  const size_t header = v6 ? 40 : size_t{4} * (byte(0) & 0x0F);
  if (packet.size() < std::max<size_t>(header, 20)) return "";
  const uint8_t protocol = byte(v6 ? 6 : 9);
  char address[INET6_ADDRSTRLEN];
  const size_t at = v6 ? (source ? 8 : 24) : (source ? 12 : 16);
  if (::inet_ntop(v6 ? AF_INET6 : AF_INET, packet.data() + at, address, sizeof address) == nullptr) return "";
  std::string text = ProtocolName(protocol) + " ";
  if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || packet.size() < header + 4) return text + address;
  const unsigned port = static_cast<unsigned>(byte(header + 2)) << 8 | byte(header + 3);  // always the destination's
  text += v6 ? "[" + std::string(address) + "]" : address;
  return text + (source ? " to port " : ":") + std::to_string(port);
}

Result<DenialLog> DenialLog::OpenIn(const NetworkNamespace& there, uint16_t group) {
  Netfilter opened = MXC_TRY(Netfilter::OpenIn(there));
  const int socket = ::fcntl(opened.fd(), F_DUPFD_CLOEXEC, 0);
  if (socket < 0) return sys::SystemError("keep a netfilter socket", errno);
  DenialLog log{sys::UniqueFd(socket)};
  nfulnl_msg_config_cmd command{NFULNL_CFG_CMD_BIND};
  MXC_TRY(Configure(socket, group, NFULA_CFG_CMD, Raw(command)));
  nfulnl_msg_config_mode mode{};
  mode.copy_range = htonl(128);
  mode.copy_mode = NFULNL_COPY_PACKET;
  MXC_TRY(Configure(socket, group, NFULA_CFG_MODE, Raw(mode)));
  // Each one at once: what waits in the kernel when the sandbox ends is lost.
  MXC_TRY(Configure(socket, group, NFULA_CFG_QTHRESH, Raw(uint32_t{htonl(1)})));
  return log;
}

void DenialLog::Read(int most) {
  char buffer[kMessageBytes];
  while (most-- > 0) {
    const long got = sys::Check(::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT));
    if (got == -EINTR || got == -ENOBUFS) continue;  // ENOBUFS: lines were lost
    if (got <= 0) return;
    for (size_t at = 0; at + sizeof(nlmsghdr) <= static_cast<size_t>(got);) {
      nlmsghdr header;
      std::memcpy(&header, buffer + at, sizeof header);
      if (header.nlmsg_len < sizeof header || at + header.nlmsg_len > static_cast<size_t>(got)) break;
      const Answer answer{header.nlmsg_type, std::string(buffer + at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN)};
      at += NLMSG_ALIGN(header.nlmsg_len);
      if (answer.type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) continue;
      uint32_t label = 0;
      std::string packet;
      for (const auto& [type, data] : answer.Attributes(sizeof(nfgenmsg))) {
        if (type == NFULA_PREFIX) std::from_chars(data.data(), data.data() + data.size(), label);
        if (type == NFULA_PAYLOAD) packet = data;
      }
      const std::pair<uint32_t, std::string> key{label, DescribePacket(packet, label == kLabelIngress)};
      auto found = seen_.find(key);
      if (found != seen_.end()) {
        ++found->second;
      } else if (!key.second.empty() && seen_.size() < kMostDestinations) {
        seen_[key] = 1;
      }
    }
  }
}

std::vector<Refusal> DenialLog::Refusals() const {
  std::vector<Refusal> all;
  for (const auto& [key, count] : seen_) all.push_back({key.first, key.second, count});
  return all;
}

}  // namespace mxc::network
