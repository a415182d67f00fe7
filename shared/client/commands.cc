#include "shared/client/commands.h"

#include <algorithm>

#include "shared/base/version.h"
#include "shared/client/prepare.h"
#include "shared/oci/json.h"
#include "shared/policy/contract_support.h"
#include "shared/policy/explain.h"
#include "shared/policy/path_tree.h"
#include "shared/policy/why.h"
#include "shared/policy/write.h"
#include "shared/translate/seccomp_profiles.h"

namespace mxc::client {
namespace {

using policy::Verdict;

std::string Names(const std::vector<std::string_view>& names) {
  std::string list;
  for (std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

policy::SyscallVerdict LookUpSyscall(std::string_view list, std::string_view syscall) {
  using Kind = translate::SyscallAnswer::Kind;
  translate::SyscallAnswer answer = translate::ExplainSyscall(list, syscall);
  policy::SyscallVerdict verdict;
  verdict.allowed_by = Names(answer.allowed_by);
  verdict.reason = std::string(answer.why);
  switch (answer.kind) {
    case Kind::kAllowed:
      verdict.verdict = Verdict::kAllowed;
      break;
    case Kind::kConditional:
      verdict.verdict = Verdict::kConditional;
      verdict.how = std::string(answer.error_name);
      verdict.reason += verdict.reason.empty() ? "" : "; ";
      verdict.reason += "only " + std::string(answer.when);
      break;
    case Kind::kErrno:
      verdict.how = std::string(answer.error_name);
      break;
    case Kind::kKilled:
      verdict.how = "killed";
      break;
    case Kind::kUnknownSyscall:
      verdict.how = "ENOSYS";
      verdict.reason = "no list names it, as if this kernel didn't have it";
      break;
    case Kind::kUnknownProfile:
      verdict.how = "ENOSYS";
      verdict.reason = "no seccomp list has this name";
      break;
  }
  return verdict;
}

}  // namespace

Result<std::string> RunSpecCommand(const Options& options, Host& host) {
  PreparedSpec prepared = MXC_TRY(PrepareSpec(options, host));
  return oci::WriteSpec(prepared.translation.spec, true) + "\n";
}

Result<std::string> RunCheckCommand(const Options& options, Host& host) {
  Prepared prepared = MXC_TRY(Prepare(options, host, true));
  const std::vector<policy::NoEffect> idle = policy::FieldsWithoutEffect(prepared.policy);
  if (options.strict && !idle.empty()) {
    const auto place = prepared.policy.positions.find(idle[0].pointer);
    return Error(Code::kUnsupported, "without effect: " + idle[0].why)
        .WithHint("remove it, or check without --strict")
        .WithPosition(place != prepared.policy.positions.end()
                          ? place->second
                          : Position{prepared.policy.source, 0, 0, idle[0].pointer});
  }
  std::string text = policy::AsText(policy::Explain(prepared.effective, options.all));
  translate::HostFacts facts = MXC_TRY(Facts(prepared, host));
  translate::Translation translation =
      MXC_TRY(translate::Translate(prepared.effective, facts, translate::FindSeccompProfile));
  text += "\n";
  if (translation.notes.empty()) {
    std::string who = options.host_facts ? "The host of " + policy::Printable(*options.host_facts) : host.FactsName();
    text += who + " enforces all of it.\n";
  }
  for (const policy::NoEffect& field : idle) {
    text += "note: " + policy::Printable(field.pointer) + " has no effect: " + policy::Printable(field.why) + "\n";
  }
  for (const std::string& note : translation.notes) text += "note: " + policy::Printable(note) + "\n";
  return text;
}

Result<std::string> RunMigrateCommand(const Options& options, Host& host) {
  return policy::WritePolicy(MXC_TRY(ReadThePolicy(options, host)));
}

Result<std::string> RunWhyCommand(const Options& options, Host& host) {
  Prepared prepared = MXC_TRY(Prepare(options, host, true));
  const std::string& operation = options.why[0];
  const std::string& object = options.why[1];
  if (operation == "connect") return policy::AsText(policy::WhyAddress(prepared.effective, object));
  if (operation == "syscall") return policy::AsText(policy::WhySyscall(prepared.effective, object, LookUpSyscall));
  if (operation == "env") return policy::AsText(policy::WhyVariable(prepared.effective, object));
  policy::Operation asked = MXC_TRY(policy::ParseOperation(operation));
  std::string path = MXC_TRY(policy::Normalise(object));
  return policy::AsText(policy::WhyPath(prepared.effective, asked, path));
}

Result<std::string> RunProfilesCommand(const Options& options, Host& host) {
  policy::ProfileSet profiles = MXC_TRY(Profiles(host));
  if (options.profile) {
    const policy::Profile* profile = profiles.Find(*options.profile);
    if (profile == nullptr) return profiles.NotFound(*options.profile);
    Prepared prepared = MXC_TRY(Prepare(options, host, true));
    return profile->name + ": " + profile->summary + "\n\n" + profile->description + "\n" +
           policy::AsText(policy::Explain(prepared.effective));
  }
  size_t width = 0;
  for (const policy::Profile& profile : profiles.profiles()) width = std::max(width, profile.name.size());
  std::string text;
  for (const policy::Profile& profile : profiles.profiles()) {
    text += profile.name + std::string(width - profile.name.size() + 2, ' ') + profile.summary + "\n";
  }
  return text;
}

std::string VersionText(const std::string& program) {
  return program + " " + kVersion + ", MXC contracts 0.4.0-alpha to 1.1.0-alpha, OCI runtime spec 1.2\n";
}

}  // namespace mxc::client
