#include "linux_runtime/network/link.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>

#include "linux_runtime/network/rtnetlink.h"
#include "linux_runtime/sys/error.h"

namespace mxc::network {
namespace {

using policy::Cidr;

constexpr char kInsideName[] = "eth0";
// Locally administered; the same on every pair, since each is a network of its own.
constexpr std::string_view kHostMac("\x02mxc\0\x01", 6);
constexpr std::string_view kInsideMac("\x02mxc\0\x02", 6);
constexpr uint8_t kGatewayV4[] = {198, 18, 255, 254};
constexpr uint8_t kGatewayV6[] = {0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr uint8_t kNoLinkLocal = 1;  // IN6_ADDR_GEN_MODE_NONE

std::string_view Bytes(const Cidr& range) {
  return {reinterpret_cast<const char*>(range.address.data()), range.v6 ? size_t{16} : size_t{4}};
}
template <size_t N>
std::string_view Bytes(const uint8_t (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}

std::string Attribute(uint16_t type, std::string_view data) {
  rtattr header{static_cast<uint16_t>(RTA_LENGTH(data.size())), type};
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  text.append(data);
  text.resize(RTA_ALIGN(text.size()));
  return text;
}
std::string NumberAttribute(uint16_t type, uint32_t value) {
  return Attribute(type, {reinterpret_cast<const char*>(&value), sizeof value});
}

// No link-local address: it would be one more that the host answers to.
std::string WithoutLinkLocal() {
  const std::string mode = Attribute(IFLA_INET6_ADDR_GEN_MODE, {reinterpret_cast<const char*>(&kNoLinkLocal), 1});
  return Attribute(AF_INET6, mode);
}

int MakePair(Rtnetlink& host, const std::string& name, int netns) {
  const ifinfomsg header{};
  std::string peer(reinterpret_cast<const char*>(&header), sizeof header);
  peer += Attribute(IFLA_IFNAME, {kInsideName, sizeof kInsideName});
  peer += NumberAttribute(IFLA_NET_NS_FD, static_cast<uint32_t>(netns));
  peer += Attribute(IFLA_ADDRESS, kInsideMac);
  const std::string data = Attribute(VETH_INFO_PEER, peer);
  const std::string info = Attribute(IFLA_INFO_KIND, "veth") + Attribute(IFLA_INFO_DATA, data);
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header);
  request.AddName(IFLA_IFNAME, name).Add(IFLA_ADDRESS, kHostMac).Add(IFLA_LINKINFO, info);
  return host.Do(request);
}

int DeletePair(Rtnetlink& host, const std::string& name) {
  Request request(RTM_DELLINK, 0, ifinfomsg{});
  return host.Do(request.AddName(IFLA_IFNAME, name));
}

Result<int> IndexOf(Rtnetlink& link, const std::string& name) {
  Request request(RTM_GETLINK, 0, ifinfomsg{});
  for (const Answer& answer : MXC_TRY(link.Ask(request.AddName(IFLA_IFNAME, name), false))) {
    ifinfomsg header;
    if (answer.type != RTM_NEWLINK || answer.body.size() < sizeof header) continue;
    std::memcpy(&header, answer.body.data(), sizeof header);
    return header.ifi_index;
  }
  return Error(Code::kInternal, "the kernel says nothing of " + name);
}

int SetUp(Rtnetlink& link, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  // A kernel without IPv6 gives no such addresses either.
  const int error = link.Do(Request(RTM_NEWLINK, 0, header).Add(IFLA_AF_SPEC, WithoutLinkLocal()));
  if (error < 0 && error != -EAFNOSUPPORT) return error;
  header.ifi_flags = header.ifi_change = IFF_UP;
  return link.Do(Request(RTM_NEWLINK, 0, header));
}

int AddAddress(Rtnetlink& link, int index, const Cidr& address) {
  ifaddrmsg header{};
  header.ifa_family = address.v6 ? AF_INET6 : AF_INET;
  header.ifa_prefixlen = address.prefix;
  header.ifa_flags = IFA_F_NODAD;
  header.ifa_index = static_cast<uint32_t>(index);
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, header);
  return link.Do(request.Add(IFA_LOCAL, Bytes(address)).Add(IFA_ADDRESS, Bytes(address)));
}

int AddRoute(Rtnetlink& link, int index, bool v6, const Cidr* to, std::string_view gateway) {
  rtmsg header{};
  header.rtm_family = v6 ? AF_INET6 : AF_INET;
  header.rtm_dst_len = to != nullptr ? to->prefix : 0;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = gateway.empty() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  header.rtm_flags = gateway.empty() ? 0 : RTNH_F_ONLINK;
  Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
  if (to != nullptr) request.Add(RTA_DST, Bytes(*to));
  if (!gateway.empty()) request.Add(RTA_GATEWAY, gateway);
  return link.Do(request.AddNumber(RTA_OIF, static_cast<uint32_t>(index)));
}

int AddNeighbour(Rtnetlink& link, int index, bool v6, std::string_view address, std::string_view mac) {
  ndmsg header{};
  header.ndm_family = v6 ? AF_INET6 : AF_INET;
  header.ndm_ifindex = index;
  header.ndm_state = NUD_PERMANENT;
  Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
  return link.Do(request.Add(NDA_DST, address).Add(NDA_LLADDR, mac));
}

Result<void> Check(int error, const char* what) {
  return error < 0 ? Result<void>(sys::SystemError(what, -error)) : Result<void>();
}

Result<void> SetUpInside(const LinkPlan& plan, int netns) {
  Rtnetlink inside = MXC_TRY(Rtnetlink::OpenIn({netns}));
  const int index = MXC_TRY(IndexOf(inside, kInsideName));
  MXC_TRY(Check(SetUp(inside, index), "set eth0 up in the sandbox"));
  const auto family = [&](const Cidr& address, std::string_view gateway) -> Result<void> {
    MXC_TRY(Check(AddAddress(inside, index, address), "give the sandbox an address"));
    MXC_TRY(Check(AddNeighbour(inside, index, address.v6, gateway, kHostMac), "name the sandbox's gateway"));
    return Check(AddRoute(inside, index, address.v6, nullptr, gateway), "give the sandbox a route");
  };
  MXC_TRY(family(plan.address_v4(), Bytes(kGatewayV4)));
  return plan.v6 ? family(plan.address_v6(), Bytes(kGatewayV6)) : Result<void>();
}

Result<void> SetUpOutside(Rtnetlink& host, const LinkPlan& plan) {
  const int index = MXC_TRY(IndexOf(host, plan.host_name()));
  MXC_TRY(Check(SetUp(host, index), "set the host's end up"));
  const auto family = [&](const Cidr& address) -> Result<void> {
    MXC_TRY(Check(AddNeighbour(host, index, address.v6, Bytes(address), kInsideMac), "name the sandbox on the host"));
    return Check(AddRoute(host, index, address.v6, &address, {}), "make the host's route to the sandbox");
  };
  MXC_TRY(family(plan.address_v4()));
  return plan.v6 ? family(plan.address_v6()) : Result<void>();
}

Cidr Range(bool v6, std::initializer_list<uint8_t> bytes, uint8_t prefix) {
  Cidr range;
  range.v6 = v6;
  range.prefix = prefix;
  std::copy(bytes.begin(), bytes.end(), range.address.begin());
  return range;
}

// The address in an attribute, as a range of one; none when its size is wrong.
std::optional<Cidr> Single(int family, const std::string& data) {
  Cidr one;
  one.v6 = family == AF_INET6;
  if (data.size() != (one.v6 ? 16 : 4)) return std::nullopt;
  one.prefix = static_cast<uint8_t>(data.size() * 8);
  std::memcpy(one.address.data(), data.data(), data.size());
  return one;
}

template <class Header>
Result<void> Collect(Rtnetlink& host, uint16_t ask, uint16_t answered, std::initializer_list<uint16_t> wanted,
                     std::vector<Cidr>& into) {
  for (const Answer& answer : MXC_TRY(host.Ask(Request(ask, 0, Header{}), true))) {
    if (answer.type != answered || answer.body.size() < sizeof(Header)) continue;
    const auto family = static_cast<uint8_t>(answer.body[0]);  // the first byte of either header
    for (const auto& [type, data] : answer.Attributes(sizeof(Header))) {
      if (std::find(wanted.begin(), wanted.end(), type) == wanted.end()) continue;
      if (std::optional<Cidr> one = Single(family, data)) into.push_back(*one);
    }
  }
  return {};
}

}  // namespace

Cidr SandboxesV4() { return Range(false, {198, 18, 0, 0}, 16); }
Cidr SandboxesV6() { return Range(true, {0xFD, 0x6D, 0x78, 0x63, 0, 0, 0, 0}, 64); }

Cidr LinkPlan::address_v4() const {
  const uint32_t number = slot + 256;
  return Range(false, {198, 18, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}, 32);
}
Cidr LinkPlan::address_v6() const {
  Cidr address = SandboxesV6();
  const uint32_t number = slot + 256;
  address.address[14] = static_cast<uint8_t>(number >> 8);
  address.address[15] = static_cast<uint8_t>(number);
  address.prefix = 128;
  return address;
}

Result<void> MakeLink(const LinkPlan& plan, int netns) {
  Rtnetlink host = MXC_TRY(Rtnetlink::Open());
  int error = MakePair(host, plan.host_name(), netns);
  if (error == -EEXIST) {
    // The slot is ours, so whoever made it is gone.
    DeletePair(host, plan.host_name());
    error = MakePair(host, plan.host_name(), netns);
  }
  if (error == -EOPNOTSUPP) {
    return Error(Code::kUnsupported, "make the sandbox's link to the host: this kernel has no veth")
        .WithHint("modprobe veth, or use a kernel with CONFIG_VETH");
  }
  MXC_TRY(Check(error, "make the sandbox's link to the host"));
  Result<void> done = SetUpInside(plan, netns);
  if (done.ok()) done = SetUpOutside(host, plan);
  if (!done.ok()) DeletePair(host, plan.host_name());
  return done;
}

void RemoveLink(const LinkPlan& plan) {
  Result<Rtnetlink> host = Rtnetlink::Open();
  if (host.ok()) DeletePair(*host, plan.host_name());
}

Result<std::vector<Cidr>> HostAddresses() {
  Rtnetlink host = MXC_TRY(Rtnetlink::Open());
  std::vector<Cidr> found = {Range(false, {127, 0, 0, 0}, 8), SandboxesV4(), SandboxesV6()};
  MXC_TRY((Collect<ifaddrmsg>(host, RTM_GETADDR, RTM_NEWADDR, {IFA_LOCAL, IFA_ADDRESS}, found)));
  MXC_TRY((Collect<rtmsg>(host, RTM_GETROUTE, RTM_NEWROUTE, {RTA_GATEWAY}, found)));
  const auto less = [](const Cidr& a, const Cidr& b) {
    return std::tie(a.v6, a.address, a.prefix) < std::tie(b.v6, b.address, b.prefix);
  };
  std::sort(found.begin(), found.end(), less);
  const auto same = [&](const Cidr& a, const Cidr& b) { return !less(a, b) && !less(b, a); };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

}  // namespace mxc::network
