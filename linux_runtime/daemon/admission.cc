#include "linux_runtime/daemon/admission.h"

#include <errno.h>
#include <unistd.h>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/cli/run_command.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/client/prepare.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"

namespace mxc::daemon {
namespace {

// The caller's environment as environ(7) has it.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
      if (name.empty() || name.find('=') != std::string::npos) continue;
      entries_.emplace_back(name).append("=").append(value);
    }
    for (std::string& entry : entries_) pointers_.push_back(entry.data());
    pointers_.push_back(nullptr);
  }
  const char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> entries_;
  std::vector<const char*> pointers_;
};

// This Linux, where the one file that can be read is the request's policy.
class RequestHost : public cli::LinuxHost {
 public:
  RequestHost(const wire::PolicyPart& policy, const Environment& environment)
      : LinuxHost(environment.get()), policy_(policy) {}
  Result<std::string> ReadFile(const std::string&) override { return policy_.text; }
  // What the client's machine forbids is forbidden besides.
  Result<std::vector<client::NamedText>> Floors() override {
    std::vector<client::NamedText> floors = MXC_TRY(LinuxHost::Floors());
    for (const wire::FloorPart& floor : policy_.floors) floors.emplace_back(floor.name, floor.text);
    return floors;
  }

 private:
  const wire::PolicyPart& policy_;
};

Result<void> EnterFolder(const wire::PolicyPart& policy) {
  if (policy.cwd.empty()) return {};
  if (int error = sys::Chdir(policy.cwd.c_str()); error < 0) {
    return sys::SystemError("enter the caller's working folder " + policy.cwd, -error);
  }
  return {};
}

// The request, of somebody who lives there. What its spec has to be was looked at before he did (kProvision, as the caller).
wire::PolicyPart AtHome(wire::PolicyPart policy, const std::string& home) {
  policy.cwd = home;
  for (const char* name : {"USER", "LOGNAME", "MAIL", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
                           "XDG_DATA_HOME", "XDG_STATE_HOME"}) {
    policy.env.erase(name);
  }
  policy.env["HOME"] = home;
  if (!policy.text.empty()) policy.spec.clear();
  return policy;
}

Result<Admitted> AdmitSpec(const wire::PolicyPart& policy, client::Host& host) {
  if (::getuid() != 0) {
    return Error(Code::kRefused, "a spec without its policy is taken from root only: nothing shows what it is to allow")
        .WithHint("send the policy; mxcd translates it itself");
  }
  if (std::vector<client::NamedText> floors = MXC_TRY_AS("read the managed floor", host.Floors()); !floors.empty()) {
    return Error(Code::kRefused, "a spec is refused here: this machine has a managed floor, " + floors.front().first)
        .WithHint("send a policy: it is cut down to what the floor allows");
  }
  Admitted admitted;
  const std::string source = policy.source.empty() ? "spec" : policy.source;
  admitted.spec = MXC_TRY(oci::ReadSpec(policy.spec, source));
  if (!(admitted.spec.hooks == oci::Hooks{})) {
    return Error(Code::kUnsupported, "/hooks: mxcd starts no hooks, which would run outside of the sandbox")
        .WithPosition({source, 0, 0, "/hooks"});
  }
  admitted.extension = MXC_TRY(oci::ReadExtension(admitted.spec.annotations));
  admitted.notes = MXC_TRY_AS(source, oci::Validate(admitted.spec, admitted.extension)).warnings;
  if (!policy.argv.empty() && admitted.spec.process) admitted.spec.process->args = policy.argv;
  return admitted;
}

}  // namespace

Result<Admitted> Admit(const wire::PolicyPart& asked, bool session, const std::string& own_folder) {
  const wire::PolicyPart policy = own_folder.empty() ? asked : AtHome(asked, own_folder + "/home");
  MXC_TRY(EnterFolder(policy));
  const Environment environment(policy.env);
  RequestHost host(policy, environment);
  if (policy.text.empty() && !policy.spec.empty()) return AdmitSpec(policy, host);
  client::Options options;
  options.command = client::Command::kRun;
  if (!policy.text.empty()) options.policy = policy.source.empty() ? "policy" : policy.source;
  if (!policy.profile.empty()) options.profile = policy.profile;
  options.name = policy.name;
  options.argv = policy.argv;
  // A session's policy need not name a program; one is put there that nothing starts.
  if (session && options.argv.empty()) options.argv = {"true"};
  options.report.emplace("-");  // so that the policy's digest is known, for the audit
  client::PreparedSpec prepared = MXC_TRY(client::PrepareSpec(options, host));
  if (!policy.spec.empty() && policy.spec != oci::WriteSpec(prepared.translation.spec, false)) {
    return Error(Code::kRefused, "the spec that came along is not what this policy comes to on this machine")
        .WithHint(
            "translate it with this machine's facts, profiles and floor (the operation facts), or send the policy "
            "alone");
  }
  Admitted admitted;
  admitted.spec = std::move(prepared.translation.spec);
  admitted.extension = std::move(prepared.translation.extension);
  admitted.notes = std::move(prepared.translation.notes);
  admitted.effective = std::move(prepared.prepared.effective);
  return admitted;
}

Result<std::string> FactsFor(const wire::PolicyPart& policy) {
  MXC_TRY(EnterFolder(policy));
  const Environment environment(policy.env);
  RequestHost host(policy, environment);
  translate::HostFacts facts = MXC_TRY(host.Facts());
  facts.caller.own_programs = MXC_TRY(host.Caller()).own_programs;
  return translate::WriteHostFacts(facts);
}

void CompleteReport(const wire::PolicyPart& policy, const Admitted& admitted, report::ExitReport& report) {
  report.warnings.insert(report.warnings.begin(), admitted.notes.begin(), admitted.notes.end());
  report.policy = policy.source;
  if (admitted.effective) cli::AddOrigins(*admitted.effective, report);
}

}  // namespace mxc::daemon
