#include "shared/client/prepare.h"

#include "policies/embedded_profiles.h"
#include "shared/policy/contract_support.h"
#include "shared/policy/floor.h"
#include "shared/policy/read.h"
#include "shared/policy/resolve.h"
#include "shared/translate/seccomp_profiles.h"

namespace mxc::client {
namespace {

Result<policy::Policy> ReadThePolicy(const Options& options, Host& host) {
  if (!options.policy) {
    policy::Policy none;
    none.version = "1.0.0";
    none.source = "command line";
    return none;
  }
  std::string text = MXC_TRY_AS("read the policy", host.ReadFile(*options.policy));
  policy::ReadOptions read;
  read.source = *options.policy == "-" ? "standard input" : *options.policy;
  read.process_optional = true;  // whether a command is needed is decided below
  return policy::ReadPolicy(text, read);
}

}  // namespace

Result<policy::ProfileSet> Profiles(Host& host) {
  policy::ProfileSet profiles = policy::EmbeddedProfiles();
  std::vector<NamedText> added = MXC_TRY(host.AddedProfiles());
  if (!added.empty()) MXC_TRY(profiles.Add(added));
  return profiles;
}

Result<Prepared> Prepare(const Options& options, Host& host, bool command_optional) {
  Prepared prepared;
  prepared.policy = MXC_TRY(ReadThePolicy(options, host));
  MXC_TRY(policy::RefuseUnbuilt(prepared.policy));
  policy::CommandLine command;
  command.profile = options.profile;
  command.argv = options.argv;
  command.run_name = options.name;
  bool has_command = !command.argv.empty() || (prepared.policy.process && !prepared.policy.process->command_line.empty());
  if (!has_command) {
    if (!command_optional) {
      return Error(Code::kUsage, "no program is named: the policy has no process.commandLine, and nothing stands after --")
          .WithHint("mxc run --policy FILE -- COMMAND");
    }
    command.argv = {"true"};
  }
  policy::ProfileSet profiles = MXC_TRY(Profiles(host));
  std::vector<policy::Floor> floors =
      MXC_TRY_AS("read the managed floor", policy::ReadFloors(MXC_TRY(host.Floors())));
  policy::Caller caller = MXC_TRY(host.Caller());
  prepared.effective = MXC_TRY(policy::Resolve(prepared.policy, profiles, floors, caller, command));
  return prepared;
}

Result<translate::HostFacts> Facts(const Options& options, Host& host) {
  if (!options.host_facts) return host.Facts();
  std::string text = MXC_TRY_AS("read the host's facts", host.ReadFile(*options.host_facts));
  return translate::ReadHostFacts(text, *options.host_facts);
}

Result<PreparedSpec> PrepareSpec(const Options& options, Host& host) {
  PreparedSpec result;
  result.prepared = MXC_TRY(Prepare(options, host, false));
  translate::HostFacts facts = MXC_TRY(Facts(options, host));
  result.translation = MXC_TRY(translate::Translate(result.prepared.effective, facts, translate::FindSeccompProfile));
  return result;
}

}  // namespace mxc::client
