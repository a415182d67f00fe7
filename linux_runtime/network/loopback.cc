#include "linux_runtime/network/loopback.h"

#include <linux/if.h>

#include <string_view>

#include "linux_runtime/network/rtnetlink.h"
#include "linux_runtime/sys/error.h"

namespace mxc::network {
namespace {

constexpr uint32_t kLoopbackIndex = 1;  // in every namespace

int Route(Rtnetlink& link, const policy::Cidr& range) {
  rtmsg header{};
  header.rtm_family = range.v6 ? AF_INET6 : AF_INET;
  header.rtm_dst_len = range.prefix;
  header.rtm_table = RT_TABLE_LOCAL;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_HOST;
  header.rtm_type = RTN_LOCAL;
  Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
  request.Add(RTA_DST, {reinterpret_cast<const char*>(range.address.data()), range.v6 ? size_t{16} : size_t{4}});
  return link.Do(request.AddNumber(RTA_OIF, kLoopbackIndex));
}

// Larger packets between the program and the gateway, each of which goes through the rules: "BIG TCP", Linux 6.3. Older kernels go
// on without.
void TakeLargePackets(Rtnetlink& link) {
  constexpr uint16_t kGsoIpv4MaxSize = 63, kGroIpv4MaxSize = 64;  // IFLA_*, younger than Debian 12's headers
  constexpr uint32_t kBytes = 512 * 1024 - 8;                     // GSO_MAX_SIZE
  ifinfomsg header{};
  header.ifi_index = kLoopbackIndex;
  Request request(RTM_NEWLINK, 0, header);
  (void)link.Do(request.AddNumber(kGsoIpv4MaxSize, kBytes).AddNumber(kGroIpv4MaxSize, kBytes));
}

}  // namespace

Result<void> RouteToLoopback(const NetworkNamespace& there, std::span<const policy::Cidr> ranges) {
  Rtnetlink link = MXC_TRY(Rtnetlink::OpenIn(there));
  ifinfomsg header{};
  header.ifi_index = kLoopbackIndex;
  header.ifi_flags = header.ifi_change = IFF_UP;
  if (int error = link.Do(Request(RTM_NEWLINK, 0, header)); error < 0) {
    return sys::SystemError("set the sandbox's loopback device up", -error);
  }
  if (!ranges.empty()) TakeLargePackets(link);
  for (const policy::Cidr& range : ranges) {
    const int error = Route(link, range);
    const bool no_v6 = range.v6 && (error == -EAFNOSUPPORT || error == -EOPNOTSUPP || error == -EACCES);
    if (error < 0 && !no_v6) return sys::SystemError("route addresses to the sandbox's loopback device", -error);
  }
  return {};
}

}  // namespace mxc::network
