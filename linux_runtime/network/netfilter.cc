#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/time.h>

#include <cstring>
#include <utility>

#include "linux_runtime/network/netlink.h"
#include "linux_runtime/network/nf_tables.h"
#include "linux_runtime/network/rtnetlink.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

constexpr int kMostBytes = 64 << 20;  // of one transaction; 10,000 rules take 5 MiB

// Of a namespace that isn't ours the kernel asks for CAP_NET_ADMIN over it, which its maker has.
void SetBuffer(int socket, size_t size) {
  const int wanted = static_cast<int>(std::min<size_t>(size + 65536, kMostBytes));
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0) {
    ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
  }
}

// The attributes in `data`, by Answer's reader of a structure of no size.
std::vector<std::pair<uint16_t, std::string>> Inside(const std::string& data) { return Answer{0, data}.Attributes(0); }

std::string Find(const std::vector<std::pair<uint16_t, std::string>>& attributes, uint16_t type) {
  for (const auto& [found, data] : attributes) {
    if (found == type) return data;
  }
  return {};
}

uint64_t PacketsOf(const std::string& expressions) {
  for (const auto& [type, element] : Inside(expressions)) {
    const auto expression = Inside(element);
    if (std::string_view(Find(expression, NFTA_EXPR_NAME).c_str()) != "counter") continue;
    const std::string packets = Find(Inside(Find(expression, NFTA_EXPR_DATA)), NFTA_COUNTER_PACKETS);
    uint64_t number = 0;
    for (const char byte : packets) number = number << 8 | static_cast<uint8_t>(byte);
    return number;
  }
  return 0;
}

Result<sys::UniqueFd> Hinted(Result<sys::UniqueFd> socket) {
  if (socket.ok()) return socket;
  return std::move(socket).error().WithHint("this kernel may have no nf_tables; see `mxc doctor`");
}

}  // namespace

Netfilter::Netfilter(sys::UniqueFd socket) : socket_(std::move(socket)) {
  const timeval patience{10, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

Result<Netfilter> Netfilter::Open() { return Netfilter(MXC_TRY(Hinted(OpenNetlink(NETLINK_NETFILTER)))); }

Result<Netfilter> Netfilter::OpenIn(const NetworkNamespace& there) {
  return Netfilter(MXC_TRY(Hinted(OpenNetlinkIn(there, NETLINK_NETFILTER))));
}

int Netfilter::Commit(const NftTransaction& transaction) {
  const std::string bytes = transaction.Bytes();
  if (bytes.size() > 65536) SetBuffer(socket_.get(), bytes.size());
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const long sent = sys::Check(::sendto(socket_.get(), bytes.data(), bytes.size(), 0,
                                        reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel));
  if (sent < 0) return static_cast<int>(sent);
  // A message that fails is answered by itself; the end of the batch only when all went well.
  int result = 0;
  const int error = ReadNetlink(socket_.get(), [&](const nlmsghdr& header, std::string_view body) {
    if (header.nlmsg_type != NLMSG_ERROR) return true;
    result = NetlinkError(body);
    return false;
  });
  // What else was answered to this batch would be taken for the answer to the next.
  char rest[4096];
  while (::recv(socket_.get(), rest, sizeof rest, MSG_DONTWAIT) > 0) {
  }
  return error < 0 ? error : result;
}

Result<std::map<uint32_t, uint64_t>> Netfilter::Counters(const std::string& table, const std::string& chain) {
  Request request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, NLM_F_DUMP, nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
  request.AddName(NFTA_RULE_TABLE, table).AddName(NFTA_RULE_CHAIN, chain);
  const std::string& bytes = request.bytes();
  const long sent = sys::Check(::send(socket_.get(), bytes.data(), bytes.size(), 0));
  if (sent < 0) return sys::SystemError("ask for the counters of the network rules", static_cast<int>(-sent));
  std::map<uint32_t, uint64_t> counters;
  int failed = 0;
  const int error = ReadNetlink(socket_.get(), [&](const nlmsghdr& header, std::string_view body) {
    if (header.nlmsg_type == NLMSG_DONE) return false;
    if (header.nlmsg_type == NLMSG_ERROR) {
      failed = NetlinkError(body);
      return false;
    }
    const auto attributes = Answer{0, std::string(body)}.Attributes(sizeof(nfgenmsg));
    const std::string label = Find(attributes, NFTA_RULE_USERDATA);
    uint32_t number = 0;
    if (label.size() != sizeof number) return true;
    std::memcpy(&number, label.data(), sizeof number);
    counters[number] += PacketsOf(Find(attributes, NFTA_RULE_EXPRESSIONS));
    return true;
  });
  if (error < 0 || failed < 0)
    return sys::SystemError("read the counters of the network rules", error < 0 ? -error : -failed);
  return counters;
}

}  // namespace mxc::network
