// The privileged engine: one sandbox's network as root. A link of its own to the host, the rules in its own namespace,
// and what the host needs to carry it, all of which goes with this object. What a killed run leaves is swept by the next.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "linux_runtime/network/forwarding.h"
#include "linux_runtime/network/link.h"
#include "linux_runtime/network/netlink.h"
#include "linux_runtime/network/sandbox_rules.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/network/ruleset.h"

namespace mxc::network {

class VethNetwork {
 public:
  // Takes an address. folder: the state folder, root's alone. name: of the run; it names what the host has of it. Errors:
  // kSystem; kRefused when every address is taken.
  static Result<std::unique_ptr<VethNetwork>> Prepare(const Ruleset& rules, const std::string& folder,
                                                      const std::string& name);
  VethNetwork(const VethNetwork&) = delete;
  VethNetwork& operator=(const VethNetwork&) = delete;
  ~VethNetwork() { Remove(); }

  // Connects a network namespace in which the rules are loaded, and in which no program runs yet. Errors: kSystem;
  // kUnsupported naming what the kernel lacks. After an error nothing is left but what Remove removes.
  Result<void> Attach(const NetworkNamespace& there, const SandboxRules& rules);

  // everything_died: nothing of the sandbox lives any more, so the kernel removes its namespace and with that the link, soon
  // and by itself; to wait for it takes 10 ms.
  void Remove(bool everything_died = false);

 private:
  VethNetwork() = default;
  std::string folder_, name_;
  LinkPlan link_;
  sys::UniqueFd slot_;
  std::optional<Forwarding> forwarding_;
  bool marked_ = false, linked_ = false, tabled_ = false;
};

// Removes what runs left that were killed: those for whose name alive() is false.
void SweepNetworks(const std::string& folder, const std::function<bool(const std::string& name)>& alive);

}  // namespace mxc::network
