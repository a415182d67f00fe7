// The privileged engine: one sandbox's network as root. A link of its own to the host, the rules in its own namespace,
// and what the host needs to carry it, all of which goes with this object. What a killed run leaves is swept by the next.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/network/denial_log.h"
#include "linux_runtime/network/forwarding.h"
#include "linux_runtime/network/link.h"
#include "linux_runtime/network/nf_tables.h"
#include "linux_runtime/network/rules.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/network/ruleset.h"

namespace mxc::network {

class VethNetwork {
 public:
  // Takes an address and looks at the host's. folder: the state folder, root's alone. name: of the run; it names what the
  // host has of it. Errors: kSystem; kRefused when every address is taken.
  static Result<std::unique_ptr<VethNetwork>> Prepare(Ruleset rules, const std::string& folder,
                                                      const std::string& name);
  VethNetwork(const VethNetwork&) = delete;
  VethNetwork& operator=(const VethNetwork&) = delete;
  ~VethNetwork() { Remove(); }

  // Connects the network namespace of process `pid`, in which no program runs yet. The rules stand before the link does.
  // Errors: kSystem; kUnsupported naming what the kernel lacks. After an error nothing is left but what Remove removes.
  Result<void> Attach(int pid);

  // Readable when something was refused.
  int log_fd() const { return log_ ? log_->fd() : -1; }
  void OnLog() { log_->Read(); }
  // Everything that was refused: destinations as far as they were logged, and by the rules' counters what wasn't.
  Result<std::vector<Refusal>> Refusals();
  std::string OriginOf(uint32_t label) const;

  // everything_died: nothing of the sandbox lives any more, so the kernel removes its namespace and with that the link, soon
  // and by itself; to wait for it takes 10 ms.
  void Remove(bool everything_died = false);

 private:
  VethNetwork() = default;
  Ruleset rules_;
  std::vector<policy::Cidr> host_;
  std::string folder_, name_;
  LinkPlan link_;
  sys::UniqueFd slot_;
  std::optional<Forwarding> forwarding_;
  std::optional<Netfilter> inside_;
  std::optional<DenialLog> log_;
  bool marked_ = false, linked_ = false, tabled_ = false;
};

// Removes what runs left that were killed: those for whose name alive() is false.
void SweepNetworks(const std::string& folder, const std::function<bool(const std::string& name)>& alive);

}  // namespace mxc::network
