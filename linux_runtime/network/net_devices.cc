#include "linux_runtime/network/net_devices.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cstring>
#include <optional>
#include <set>

#include "linux_runtime/network/rtnetlink.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

struct Address {
  ifaddrmsg header{};
  std::vector<std::pair<uint16_t, std::string>> attributes;
};

struct Device {
  int index = 0;
  bool up = false;
  std::vector<Address> addresses;
};

// One of the two namespaces, and the way there.
struct Side {
  Rtnetlink link;
  int netns;
};

template <typename Body>
std::optional<Body> Header(const Answer& answer) {
  if (answer.body.size() < sizeof(Body)) return std::nullopt;
  Body body;
  std::memcpy(&body, answer.body.data(), sizeof body);
  return body;
}

Result<Device> FindDevice(Rtnetlink& link, const std::string& name) {
  Request request(RTM_GETLINK, 0, ifinfomsg{});
  request.AddName(IFLA_IFNAME, name);
  Result<std::vector<Answer>> answers = link.Ask(request, false);
  if (!answers.ok() && answers.error().system_errno() == ENODEV)
    return Error(Code::kNotFound, "there is no network device " + name);
  if (!answers.ok()) return std::move(answers).error();
  for (const Answer& answer : *answers) {
    std::optional<ifinfomsg> header = Header<ifinfomsg>(answer);
    if (answer.type == RTM_NEWLINK && header) return Device{header->ifi_index, (header->ifi_flags & IFF_UP) != 0, {}};
  }
  return Error(Code::kInternal, "the kernel says nothing of " + name);
}

Result<std::set<std::string>> Names(Rtnetlink& link) {
  std::set<std::string> names;
  for (const Answer& answer : MXC_TRY(link.Ask(Request(RTM_GETLINK, 0, ifinfomsg{}), true))) {
    for (const auto& [type, data] : answer.Attributes(sizeof(ifinfomsg))) {
      if (type == IFLA_IFNAME) names.insert(data.c_str());
    }
  }
  return names;
}

uint32_t Flags(const Address& address) {
  for (const auto& [type, data] : address.attributes) {
    uint32_t flags;
    if (type != IFA_FLAGS || data.size() != sizeof flags) continue;
    std::memcpy(&flags, data.data(), sizeof flags);
    return flags;
  }
  return address.header.ifa_flags;
}

Result<std::vector<Address>> PermanentAddresses(Rtnetlink& link, int index) {
  std::vector<Address> found;
  for (const Answer& answer : MXC_TRY(link.Ask(Request(RTM_GETADDR, 0, ifaddrmsg{}), true))) {
    std::optional<ifaddrmsg> header = Header<ifaddrmsg>(answer);
    if (answer.type != RTM_NEWADDR || !header || static_cast<int>(header->ifa_index) != index) continue;
    Address address{*header, answer.Attributes(sizeof(ifaddrmsg))};
    if (header->ifa_scope == RT_SCOPE_UNIVERSE && (Flags(address) & IFA_F_PERMANENT) != 0)
      found.push_back(std::move(address));
  }
  return found;
}

// The kernel sets by itself that an address is permanent, and tries anew whether it is a duplicate. A label would have to
// begin with the device's name, which may be another one now.
int AddAddress(Rtnetlink& link, int index, const Address& address) {
  ifaddrmsg header = address.header;
  header.ifa_index = static_cast<uint32_t>(index);
  const uint32_t flags = Flags(address) & ~uint32_t{IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_DADFAILED};
  header.ifa_flags = static_cast<uint8_t>(flags);
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
  for (const auto& [type, data] : address.attributes) {
    if (type == IFA_LOCAL || type == IFA_ADDRESS || type == IFA_BROADCAST || type == IFA_RT_PRIORITY)
      request.Add(type, data);
  }
  request.AddNumber(IFA_FLAGS, flags);
  return link.Do(request);
}

int SetUp(Rtnetlink& link, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = header.ifi_change = IFF_UP;
  return link.Do(Request(RTM_NEWLINK, 0, header));
}

// Moves by index, so that the name given is the new one, and restores what the kernel takes off on the way.
Result<void> Move(Side& from, Side& to, const Device& device, const std::string& name) {
  ifinfomsg header{};
  header.ifi_index = device.index;
  Request request(RTM_NEWLINK, 0, header);
  request.AddNumber(IFLA_NET_NS_FD, static_cast<uint32_t>(to.netns)).AddName(IFLA_IFNAME, name);
  if (int error = from.link.Do(request); error < 0) return sys::SystemError("move it", -error);
  const Device moved = MXC_TRY(FindDevice(to.link, name));
  for (const Address& address : device.addresses) {
    if (int error = AddAddress(to.link, moved.index, address); error < 0)
      return sys::SystemError("keep its addresses", -error);
  }
  if (!device.up) return {};
  if (int error = SetUp(to.link, moved.index); error < 0) return sys::SystemError("set it up", -error);
  return {};
}

Result<std::string> NameInside(Rtnetlink& inside, const NetDeviceMove& move) {
  const std::string wanted = move.name.empty() ? move.host_name : move.name;
  const std::set<std::string> taken = MXC_TRY(Names(inside));
  const size_t number = wanted.find("%d");
  if (number == std::string::npos) {
    if (taken.contains(wanted))
      return Error(Code::kInvalid, "a device called " + wanted + " is in the container already");
    return wanted;
  }
  for (int candidate = 0;; ++candidate) {
    std::string name = wanted.substr(0, number) + std::to_string(candidate) + wanted.substr(number + 2);
    if (name.size() >= IFNAMSIZ) return Error(Code::kInvalid, wanted + ": the name gets longer than 15 bytes");
    if (!taken.contains(name)) return name;
  }
}

struct Moved {
  std::string host_name, name;
  Device before;
};

// Best effort: the error that led here is what gets reported.
void MoveBack(Side& outside, Side& inside, const std::vector<Moved>& moved) {
  for (auto each = moved.rbegin(); each != moved.rend(); ++each) {
    Result<Device> found = FindDevice(inside.link, each->name);
    if (!found.ok()) continue;
    Device back = each->before;
    back.index = found->index;
    (void)Move(inside, outside, back, each->host_name);
  }
}

Result<void> MoveOne(Side& outside, Side& inside, const NetDeviceMove& move, std::vector<Moved>& moved) {
  Device device = MXC_TRY(FindDevice(outside.link, move.host_name));
  device.addresses = MXC_TRY(PermanentAddresses(outside.link, device.index));
  std::string name = MXC_TRY(NameInside(inside.link, move));
  moved.push_back({move.host_name, name, device});
  device.up = true;
  return Move(outside, inside, device, name);
}

}  // namespace

Result<void> MoveNetDevices(const std::vector<NetDeviceMove>& moves, int netns) {
  if (moves.empty()) return {};
  sys::UniqueFd here(sys::OpenAt(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
  if (!here.valid()) return sys::SystemError("open /proc/self/ns/net", -here.get());
  Side outside{MXC_TRY(Rtnetlink::Open()), here.get()};
  Side inside{MXC_TRY_AS("/linux/netDevices", Rtnetlink::OpenIn({netns})), netns};
  std::vector<Moved> moved;
  for (const NetDeviceMove& move : moves) {
    Result<void> done = MoveOne(outside, inside, move, moved);
    if (done.ok()) continue;
    MoveBack(outside, inside, moved);
    return std::move(done).error().WithContext("/linux/netDevices/" + move.host_name);
  }
  return {};
}

}  // namespace mxc::network
