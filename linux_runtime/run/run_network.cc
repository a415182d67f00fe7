#include "linux_runtime/run/run_network.h"

#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "linux_runtime/network/gateway/gateway.h"
#include "linux_runtime/network/gateway/listeners.h"
#include "linux_runtime/network/loopback.h"
#include "linux_runtime/network/pasta_link.h"
#include "linux_runtime/network/sandbox_rules.h"
#include "linux_runtime/network/veth_network.h"
#include "linux_runtime/run/run_name.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::run {
namespace {

Result<sys::UniqueFd> OpenNamespace(int pid, const char* type) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + type;
  sys::UniqueFd opened(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!opened.valid()) return sys::SystemError("open " + path, -opened.get());
  return opened;
}

bool OnlyTcp(const network::Ruleset& rules) {
  return std::none_of(rules.begin(), rules.end(), [](const network::Rule& rule) {
    return rule.allow && rule.transport != network::Transport::kTcp;
  });
}

bool AllowsV6(const network::Ruleset& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const network::Rule& rule) { return rule.allow && rule.to.v6; });
}

}  // namespace

struct RunNetwork::Parts {
  bool privileged = false;
  network::WaysOut ways;
  bool forward_queries = false;
  network::NameRules names;
  std::optional<uint64_t> name_sent_bytes;
  network::PortRules ports;
  std::vector<network::PortListener> listeners;  // of the host's, until the gateway has them
  std::optional<network::SandboxRules> rules;
  std::unique_ptr<network::VethNetwork> link;
  std::unique_ptr<network::PastaLink> pasta;
  std::optional<network::Gateway> gateway;
  std::optional<Result<std::vector<network::GatewayEvent>>> events;  // of the gateway, once it has ended
  sys::UniqueFd netns, userns;
  std::vector<int> group_files;

  bool needs_rules() const { return ways.link || ways.tcp || ways.names; }
  bool needs_gateway() const { return ways.tcp || ways.names || !ports.empty(); }
  network::NetworkNamespace there() const { return {netns.get(), userns.get()}; }
  Result<void> Attach(int pid);
  Result<void> StartGateway();
};

RunNetwork::RunNetwork() = default;
RunNetwork::RunNetwork(RunNetwork&&) noexcept = default;
RunNetwork& RunNetwork::operator=(RunNetwork&&) noexcept = default;
RunNetwork::~RunNetwork() = default;

Result<RunNetwork> RunNetwork::Prepare(const oci::Extension& extension, bool privileged,
                                       const std::string& state_folder) {
  RunNetwork run;
  if (extension.network.empty() && extension.names.empty() && extension.ports.empty()) return run;
  constexpr char kWhat[] = "prepare the sandbox's network";
  run.parts_ = std::make_unique<Parts>();
  Parts& parts = *run.parts_;
  parts.privileged = privileged;
  parts.names = extension.names;
  parts.name_sent_bytes = extension.name_sent_bytes;
  parts.ports = extension.ports;
  parts.forward_queries = extension.names.empty() && network::DefaultAllows(extension.network);
  parts.ways.names = !extension.names.empty() || parts.forward_queries;
  parts.ways.tcp = !extension.network.empty() && !privileged && OnlyTcp(extension.network);
  parts.ways.link = !extension.network.empty() && !parts.ways.tcp;
  parts.ways.asks_neighbours = parts.ways.link && !privileged;
  parts.listeners = MXC_TRY_AS(kWhat, network::ListenOnHost(extension.ports));
  parts.rules.emplace(extension.network, MXC_TRY_AS(kWhat, network::HostAddresses()), parts.ways);
  if (parts.ways.link && privileged) {
    parts.link = MXC_TRY_AS(kWhat, network::VethNetwork::Prepare(extension.network, state_folder, NewRunName()));
  }
  return run;
}

Result<void> RunNetwork::Parts::Attach(int pid) {
  netns = MXC_TRY(OpenNamespace(pid, "net"));
  // The maker of a user namespace has all rights in it, but only from there.
  if (!privileged) userns = MXC_TRY(OpenNamespace(pid, "user"));
  std::vector<policy::Cidr> inside;
  if (ways.names) inside.push_back(network::NamePool());
  if (ways.tcp) inside.push_back({false, {}, 0});
  if (ways.tcp && AllowsV6(rules->rules())) inside.push_back({true, {}, 0});
  // The rules stand before there is a way to anywhere.
  if (needs_rules()) MXC_TRY(rules->Load(there()));
  if (needs_gateway()) {
    MXC_TRY(network::RouteToLoopback(there(), inside));
    MXC_TRY(StartGateway());
  }
  if (link) return link->Attach(there(), *rules);
  if (ways.link) pasta = MXC_TRY(network::PastaLink::Start(pid, there(), AllowsV6(rules->rules()), group_files));
  return {};
}

Result<void> RunNetwork::Parts::StartGateway() {
  network::GatewayPlan plan;
  plan.rules = rules->rules();
  plan.host = rules->host();
  plan.group_files = group_files;
  plan.names = names;
  plan.name_sent_bytes = name_sent_bytes;
  plan.forward_queries = forward_queries;
  plan.ports = std::move(listeners);
  MXC_TRY(network::ListenInside(there(), ways, AllowsV6(plan.rules), ports, plan));
  gateway.emplace(MXC_TRY(network::Gateway::Start(std::move(plan))));
  return {};
}

sandbox::AttachNetwork RunNetwork::Attach(std::vector<int> group_files) const {
  if (!parts_) return {};
  parts_->group_files = std::move(group_files);
  return [parts = parts_.get()](int pid) -> Result<void> {
    MXC_TRY_AS("connect the sandbox to the network", parts->Attach(pid));
    return {};
  };
}

void RunNetwork::Watch(supervise::Loop& loop) const {
  if (!parts_) return;
  Parts* parts = parts_.get();
  if (parts->rules->log_fd() >= 0)
    loop.Watch(parts->rules->log_fd(), POLLIN, [parts](short) { parts->rules->OnLog(); });
  if (!parts->gateway) return;
  const int control = parts->gateway->control_fd();
  loop.Watch(control, POLLIN, [parts, control, &loop](short) {
    const auto make = [parts] { return network::SocketsInside(parts->there()); };
    if (!parts->gateway->Serve(make)) loop.Forget(control);
  });
}

void RunNetwork::Collect() const {
  if (parts_ && parts_->gateway && !parts_->events) parts_->events.emplace(parts_->gateway->Finish());
}

void RunNetwork::Describe(report::ExitReport& report) const {
  if (!parts_) return;
  Result<std::vector<network::Refusal>> refusals = parts_->rules->Refusals();
  if (!refusals.ok()) {
    report.warnings.push_back(refusals.error().Describe());
  } else {
    for (network::Refusal& one : *refusals) {
      const bool inward = one.label == network::kLabelIngress;
      report.denials.push_back({"nftables", (inward ? "accept from " : "send to ") + one.what,
                                parts_->rules->OriginOf(one.label), one.count});
    }
  }
  if (parts_->pasta && parts_->pasta->no_way_out()) {
    report.warnings.push_back("this host has no default route, so the sandbox got no link to the network");
  }
  if (parts_->pasta && parts_->pasta->ended()) {
    report.warnings.push_back("pasta, which carries the sandbox's network, ended early; its connections were cut");
  }
  if (!parts_->gateway) return;
  Collect();
  const Result<std::vector<network::GatewayEvent>>& events = *parts_->events;
  if (!events.ok()) {
    report.warnings.push_back(events.error().Describe());
    return;
  }
  for (const network::GatewayEvent& event : *events) {
    if (event.kind == network::GatewayEvent::Kind::kName) {
      report.names.push_back({event.what, event.count, event.sent, event.received});
    } else {
      report.denials.push_back({"gateway", event.what, event.origin, event.count});
    }
  }
}

void RunNetwork::Remove(bool everything_died) {
  if (!parts_) return;
  parts_->gateway.reset();
  parts_->pasta.reset();
  // What keeps the namespace alive.
  parts_->rules.reset();
  parts_->netns.reset();
  parts_->userns.reset();
  if (parts_->link) parts_->link->Remove(everything_died);
  parts_.reset();
}

void SweepRunNetworks(const std::string& state_folder) { network::SweepNetworks(state_folder, RunLives); }

}  // namespace mxc::run
