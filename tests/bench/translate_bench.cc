// Time of translating one policy, single thread: Translate alone, and with the specification written as JSON.
// Prints one line a case: name, microseconds of processor time a run (the best of 20 rounds, which is what the code
// costs on a busy machine), runs a second.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "shared/oci/json.h"
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
    rules.push_back(Rule("/home/user/.config/secret-" + std::to_string(i), policy::Access::kDeny, "/filesystem/denied/" + std::to_string(i)));
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

int Run() {
  HostFacts facts = HostFacts::Generic();
  size_t bytes = 0;
  for (const auto& [name, policy] : {std::pair("base", BasePolicy()), std::pair("mixed", MixedPolicy()), std::pair("large", LargePolicy())}) {
    auto once = Translate(policy, facts, FindSeccompProfile);
    if (!once.ok()) {
      std::fprintf(stderr, "%s: %s\n", name, once.error().Describe().c_str());
      return 1;
    }
    std::printf("%s: %zu rules, %zu mounts\n", name, policy.paths.size(), once->spec.mounts.size());
    Measure("translate", [&] { bytes += Translate(policy, facts, FindSeccompProfile)->spec.mounts.size(); });
    Measure("translate and write JSON", [&] { bytes += oci::WriteSpec(Translate(policy, facts, FindSeccompProfile)->spec, false).size(); });
  }
  return bytes == 0;
}

}  // namespace
}  // namespace mxc::translate

int main() { return mxc::translate::Run(); }
