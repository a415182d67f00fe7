#include "linux_runtime/run/run_network.h"

#include <poll.h>

#include <utility>

#include "linux_runtime/run/run_name.h"

namespace mxc::run {

Result<RunNetwork> RunNetwork::Prepare(const oci::Extension& extension, const std::string& state_folder) {
  RunNetwork run;
  if (extension.network.empty()) return run;
  run.network_ = MXC_TRY_AS("prepare the sandbox's network",
                            network::VethNetwork::Prepare(extension.network, state_folder, NewRunName()));
  return run;
}

sandbox::AttachNetwork RunNetwork::Attach() const {
  if (!network_) return {};
  return [network = network_.get()](int pid) -> Result<void> {
    MXC_TRY_AS("connect the sandbox to the network", network->Attach(pid));
    return {};
  };
}

void RunNetwork::Watch(supervise::Loop& loop) const {
  if (!network_) return;
  loop.Watch(network_->log_fd(), POLLIN, [network = network_.get()](short) { network->OnLog(); });
}

void RunNetwork::Describe(report::ExitReport& report) const {
  if (!network_) return;
  Result<std::vector<network::Refusal>> refusals = network_->Refusals();
  if (!refusals.ok()) {
    report.warnings.push_back(refusals.error().Describe());
    return;
  }
  for (network::Refusal& one : *refusals) {
    const bool inward = one.label == network::kLabelIngress;
    report.denials.push_back(
        {"nftables", (inward ? "accept from " : "send to ") + one.what, network_->OriginOf(one.label), one.count});
  }
}

void RunNetwork::Remove(bool everything_died) {
  if (network_) network_->Remove(everything_died);
  network_.reset();
}

void SweepRunNetworks(const std::string& state_folder) { network::SweepNetworks(state_folder, RunLives); }

}  // namespace mxc::run
