// The network of one run, if its policy allows any: from the engines' preparation to the lines of the report.
//
//   egress rules   root: a veth pair (veth_network.h); else, of TCP only: the gateway, and of more: pasta (pasta_link.h)
//   names, ports   the gateway (gateway/gateway.h)
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/supervise/loop.h"
#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/report/exit_report.h"

namespace mxc::run {

class RunNetwork {
 public:
  RunNetwork();
  RunNetwork(RunNetwork&&) noexcept;
  RunNetwork& operator=(RunNetwork&&) noexcept;
  ~RunNetwork();

  // Without rules there is nothing to prepare, and none of the rest does anything. Errors: kSystem; kRefused when a shared
  // port of the host's is taken.
  static Result<RunNetwork> Prepare(const oci::Extension& extension, bool privileged, const std::string& state_folder);

  // For Launch. This object stays where it is meanwhile. account: what puts a process into the sandbox's control group, so that
  // what the processes of the network use on its behalf is the sandbox's; nothing where there is no group.
  using Account = std::function<Result<void>(int pid)>;
  sandbox::AttachNetwork Attach(Account account) const;
  void Watch(supervise::Loop& loop) const;
  // Ends the gateway and keeps what it has to say, for Describe.
  void Collect() const;
  // After the program's end. What was refused becomes denials of the report.
  void Describe(report::ExitReport& report) const;
  // everything_died: as VethNetwork's.
  void Remove(bool everything_died);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Removes what killed runs left of their networks.
void SweepRunNetworks(const std::string& state_folder);

}  // namespace mxc::run
