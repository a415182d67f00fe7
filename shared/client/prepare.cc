#include "shared/client/prepare.h"

#include <algorithm>

#include "policies/embedded_profiles.h"
#include "shared/policy/contract_support.h"
#include "shared/policy/digest.h"
#include "shared/policy/floor.h"
#include "shared/policy/read.h"
#include "shared/policy/resolve.h"
#include "shared/translate/seccomp_profiles.h"

namespace mxc::client {
namespace {

Result<std::optional<translate::HostFacts>> ReadNamedFacts(const Options& options, Host& host) {
  if (!options.host_facts) return std::optional<translate::HostFacts>();
  std::string text = MXC_TRY_AS("read the host's facts", host.ReadFile(*options.host_facts));
  std::string source = *options.host_facts == "-" ? "standard input" : *options.host_facts;
  return std::optional<translate::HostFacts>(MXC_TRY(translate::ReadHostFacts(text, source)));
}

}  // namespace

Result<policy::Policy> ReadThePolicy(const Options& options, Host& host) {
  if (!options.policy) {
    policy::Policy none;
    none.version = none.declared_version = "1.0.0";
    none.source = "command line";
    return none;
  }
  std::string text = MXC_TRY_AS("read the policy", host.ReadFile(*options.policy));
  policy::ReadOptions read;
  read.source = *options.policy == "-" ? "standard input" : *options.policy;
  read.process_optional = true;  // whether a command is needed is decided below
  return policy::ReadPolicy(text, read);
}

policy::Caller CallerOf(const translate::HostFacts& facts) {
  policy::Caller caller;
  caller.user = facts.caller.user;
  caller.home = facts.caller.home;
  caller.cwd = facts.caller.cwd;
  caller.uid = facts.caller.uid;
  caller.gid = facts.caller.gid;
  caller.distro = facts.wsl.distribution;
  caller.wsl = facts.wsl.is_wsl;
  caller.env.assign(facts.caller.env.begin(), facts.caller.env.end());
  caller.own_programs = facts.caller.own_programs;
  return caller;
}

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
  bool has_command =
      !command.argv.empty() || (prepared.policy.process && !prepared.policy.process->command_line.empty());
  if (!has_command) {
    if (!command_optional) {
      return Error(Code::kUsage,
                   "no program is named: the policy has no process.commandLine, and nothing stands after --")
          .WithHint("mxc run --policy FILE -- COMMAND");
    }
    command.argv = {"true"};
  }
  policy::ProfileSet profiles = MXC_TRY(Profiles(host));
  std::vector<policy::Floor> floors = MXC_TRY_AS("read the managed floor", policy::ReadFloors(MXC_TRY(host.Floors())));
  prepared.named_facts = MXC_TRY(ReadNamedFacts(options, host));
  if (prepared.named_facts && options.command == Command::kRun && !floors.empty()) {
    return Error(Code::kRefused,
                 "--host-facts is refused here: a floor holds for who really calls, and this machine has one, " +
                     floors.front().file)
        .WithHint("leave the option out; mxc asks this host itself");
  }
  policy::Caller caller = MXC_TRY(host.Caller());
  if (prepared.named_facts) {
    policy::Caller named = CallerOf(*prepared.named_facts);
    // What runs here, whoever's facts it was translated by, leaves this mxc alone.
    if (options.command == Command::kRun || options.command == Command::kPlan) {
      for (std::string& program : caller.own_programs) {
        bool known =
            std::find(named.own_programs.begin(), named.own_programs.end(), program) != named.own_programs.end();
        if (!known) named.own_programs.push_back(std::move(program));
      }
    }
    caller = std::move(named);
  }
  prepared.effective = MXC_TRY(policy::Resolve(prepared.policy, profiles, floors, caller, command));
  // A run without a report tells it to nobody.
  if (options.command != Command::kRun || options.report) {
    prepared.effective.digest = policy::Digest(prepared.effective);
  }
  return prepared;
}

Result<translate::HostFacts> Facts(const Prepared& prepared, Host& host) {
  if (prepared.named_facts) return *prepared.named_facts;
  return host.Facts();
}

Result<PreparedSpec> PrepareSpec(const Options& options, Host& host) {
  PreparedSpec result;
  result.prepared = MXC_TRY(Prepare(options, host, false));
  translate::HostFacts facts = MXC_TRY(Facts(result.prepared, host));
  result.translation = MXC_TRY(translate::Translate(result.prepared.effective, facts, translate::FindSeccompProfile));
  return result;
}

}  // namespace mxc::client
