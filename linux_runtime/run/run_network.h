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

  // For Launch. This object stays where it is meanwhile. group_files: of the sandbox's control group, into which the network's own
  // processes write "0", so that what they use on its behalf is the sandbox's; none where there is no group.
  sandbox::AttachNetwork Attach(std::vector<int> group_files) const;
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
