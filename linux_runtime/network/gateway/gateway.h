// What stands outside of a sandbox that reaches the world without a link of its own, or by names: it answers the sandbox's look-ups,
// takes its connections, decides on each, and makes it outside. A process of its own, without rights, since it reads what
// the program sends.
//
// A name gets an address of a private pool as its answer; only when that is connected to is the name looked up outside, since a
// query carries data out. What it leads to must not be special (private, loopback, link-local …) unless a rule about
// addresses allows it. TLS to a name must ask for that name.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/network/names.h"
#include "shared/network/ports.h"
#include "shared/network/ruleset.h"

namespace mxc::network {

// A shared port's listener: in the sandbox's namespace when connections go out, in the host's when they go in.
struct PortListener {
  sys::UniqueFd socket;
  bool inward = false;
  uint16_t port = 0;                                  // of the sandbox's
  std::vector<std::pair<policy::Cidr, uint16_t>> to;  // outward: one after the other is tried
  std::string origin;
};

struct GatewayPlan {
  // What decides. rules may be empty: no rule about addresses.
  Ruleset rules;
  std::vector<policy::Cidr> host;  // as HostAddresses says
  NameRules names;
  std::optional<uint64_t> name_sent_bytes;  // the most that may go to one name; more resets its connections
  bool forward_queries = false;  // the host's name servers answer the sandbox's queries; no rule is about names
  // Of the sandbox's network namespace. An invalid one: not wanted, or that family isn't there.
  sys::UniqueFd tcp_v4, tcp_v6;  // where the sandbox's rules redirect to
  sys::UniqueFd resolver, resolver_tcp;
  std::vector<PortListener> ports;
  // Of the sandbox's control group: the gateway writes "0" into them. A failure ends it.
  std::vector<int> group_files;
};

// What was refused, or what went where.
struct GatewayEvent {
  enum class Kind : uint8_t { kRefused, kName };
  Kind kind = Kind::kRefused;
  std::string what;                 // "connect to 10.0.0.1:443", "look up example.org"; kName: the name
  std::string origin;               // which rule
  uint64_t count = 0;               // kName: connections
  uint64_t sent = 0, received = 0;  // kName: bytes
};

class Gateway {
 public:
  // Forks. In the child everything but the plan's sockets is closed, and as root it becomes nobody. Error: kSystem.
  static Result<Gateway> Start(GatewayPlan plan);
  Gateway(Gateway&& other) noexcept;
  Gateway& operator=(Gateway&&) = delete;
  ~Gateway();

  // For connections that go in the gateway needs sockets of the sandbox's namespace, which it can't enter: it asks for them, by
  // one byte each. Readable when it does.
  int control_fd() const { return control_.get(); }
  // Answers what it asked: `make` makes at most sys::kMostDescriptors of them. False: it is gone.
  bool Serve(const std::function<std::vector<sys::UniqueFd>()>& make);

  // Ends it. Error: kInternal, it ended before.
  Result<std::vector<GatewayEvent>> Finish();

 private:
  Gateway() = default;
  pid_t pid_ = -1;
  sys::UniqueFd control_;
};

}  // namespace mxc::network
