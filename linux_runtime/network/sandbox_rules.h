// The network rules inside of one sandbox's network namespace, loaded before its program runs: what they refuse is counted and
// logged there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/network/denial_log.h"
#include "linux_runtime/network/netlink.h"
#include "linux_runtime/network/nf_tables.h"
#include "linux_runtime/network/rules.h"
#include "shared/base/result.h"
#include "shared/network/ruleset.h"
#include "shared/policy/cidr.h"

namespace mxc::network {

class SandboxRules {
 public:
  // host: as HostAddresses says.
  SandboxRules(Ruleset rules, std::vector<policy::Cidr> host, const WaysOut& ways)
      : rules_(std::move(rules)), host_(std::move(host)), ways_(ways) {}

  // All or nothing. Errors: kSystem; hinted at what the kernel lacks.
  Result<void> Load(const NetworkNamespace& there);

  // Readable when something was refused.
  int log_fd() const { return log_ ? log_->fd() : -1; }
  void OnLog() { log_->Read(); }
  // Everything that was refused: destinations as far as they were logged, and by the rules' counters what wasn't.
  Result<std::vector<Refusal>> Refusals();
  std::string OriginOf(uint32_t label) const;

  const Ruleset& rules() const { return rules_; }
  const std::vector<policy::Cidr>& host() const { return host_; }

 private:
  Ruleset rules_;
  std::vector<policy::Cidr> host_;
  WaysOut ways_;
  std::optional<Netfilter> inside_;
  std::optional<DenialLog> log_;
};

// As Netfilter::Commit, with what the kernel may lack as a hint. what: "load the sandbox's network rules".
Result<void> CommitRules(Netfilter& netfilter, const NftTransaction& table, const char* what);

}  // namespace mxc::network
