// Time of translating one policy, single thread: Resolve and Translate together with the profiles as shipped, Translate
// alone, and with the specification written as JSON.
// Prints one line a case: name, microseconds of processor time a run (the best of 20 rounds, which is what the code
// costs on a busy machine), runs a second.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "policies/embedded_profiles.h"
#include "shared/oci/json.h"
#include "shared/policy/read.h"
#include "shared/policy/resolve.h"
#include "shared/translate/seccomp_profiles.h"
#include "shared/translate/test_policy.h"
#include "shared/translate/translate.h"

namespace mxc::translate {
namespace {

// A policy as large as the default profile makes them: 50 names of the base system, 70 secrets, 50 protected names.
policy::EffectivePolicy LargePolicy() {
  policy::EffectivePolicy policy = MixedPolicy();
  std::vector<policy::PathRule> rules;
  rules.push_back(Rule("/home/user", policy::Access::kReadWrite, "/filesystem/readwritePaths/2"));
  for (int i = 0; i < 50; ++i) rules.push_back(Baseline("/etc/some-configuration-" + std::to_string(i)));
  for (int i = 0; i < 70; ++i) {
    rules.push_back(Rule("/home/user/.config/secret-" + std::to_string(i), policy::Access::kDeny,
                         "/filesystem/denied/" + std::to_string(i)));
  }
  for (int i = 0; i < 50; ++i) rules.push_back(Protect("/home/user/.start-up-file-" + std::to_string(i)));
  AddRules(policy, std::move(rules));
  return policy;
}

template <class F>
void Measure(const char* name, F run) {
  constexpr int kRuns = 200;
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    std::clock_t start = std::clock();
    for (int i = 0; i < kRuns; ++i) run();
    best = std::min(best, 1e6 * double(std::clock() - start) / CLOCKS_PER_SEC / kRuns);
  }
  std::printf("%-28s %8.1f us %10.0f /s\n", name, best, 1e6 / best);
}

constexpr char kMixedText[] = R"({
  "version": "1.0.0",
  "process": {"commandLine": "python3 train.py", "cwd": "/home/user/project", "timeout": 60000},
  "filesystem": {
    "readwritePaths": ["/home/user/project", "/home/user/cache"],
    "readonlyPaths": ["/home/user/data", "/opt/tools"],
    "deniedPaths": ["/home/user/project/secrets", "/home/user/data/private"]
  }
})";

policy::Caller AnyCaller() {
  policy::Caller caller;
  caller.user = "user";
  caller.home = caller.cwd = "/home/user";
  caller.uid = caller.gid = 1000;
  caller.env = {{"PATH", "/usr/bin"}, {"TERM", "xterm"}, {"LANG", "C.UTF-8"}};
  return caller;
}

// The mixed policy under each shipped profile.
int ResolveAndTranslate(const HostFacts& facts) {
  policy::ProfileSet profiles = policy::EmbeddedProfiles();
  policy::Caller caller = AnyCaller();
  auto read = policy::ReadPolicy(kMixedText, {});
  if (!read.ok()) {
    std::fprintf(stderr, "%s\n", read.error().Describe().c_str());
    return 1;
  }
  for (const policy::Profile& profile : profiles.profiles()) {
    policy::CommandLine command;
    command.profile = profile.name;
    size_t mounts = 0;
    auto run = [&]() -> Result<void> {
      policy::EffectivePolicy effective = MXC_TRY(policy::Resolve(*read, profiles, {}, caller, command));
      mounts += MXC_TRY(Translate(effective, facts, FindSeccompProfile)).spec.mounts.size();
      return {};
    };
    if (Result<void> once = run(); !once.ok()) {
      std::printf("profile %s: left out: %s\n", profile.name.c_str(), once.error().Describe().c_str());
      continue;
    }
    std::printf("profile %s: %zu mounts\n", profile.name.c_str(), mounts);
    Measure("resolve and translate", [&] { (void)run(); });
  }
  return 0;
}

int Run() {
  HostFacts facts = HostFacts::Generic();
  size_t bytes = 0;
  for (const auto& [name, policy] :
       {std::pair("base", BasePolicy()), std::pair("mixed", MixedPolicy()), std::pair("large", LargePolicy())}) {
    auto once = Translate(policy, facts, FindSeccompProfile);
    if (!once.ok()) {
      std::fprintf(stderr, "%s: %s\n", name, once.error().Describe().c_str());
      return 1;
    }
    std::printf("%s: %zu rules, %zu mounts\n", name, policy.paths.size(), once->spec.mounts.size());
    Measure("translate", [&] { bytes += Translate(policy, facts, FindSeccompProfile)->spec.mounts.size(); });
    Measure("translate and write JSON",
            [&] { bytes += oci::WriteSpec(Translate(policy, facts, FindSeccompProfile)->spec, false).size(); });
  }
  return bytes == 0 ? 1 : ResolveAndTranslate(facts);
}

}  // namespace
}  // namespace mxc::translate

int main() { return mxc::translate::Run(); }
