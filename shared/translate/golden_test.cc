// Whole specifications against files, so that a change of what sandboxes look like shows in review.
// Rewriting them: MXC_REWRITE_GOLDEN=1 bazel run //shared/translate:golden_test
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "doctest/doctest.h"
#include "shared/oci/json.h"
#include "shared/translate/test_policy.h"
#include "shared/translate/translate.h"

namespace mxc::translate {
namespace {

constexpr char kFolder[] = "tests/data/specs/";

HostFacts RootFacts() {
  HostFacts facts = HostFacts::Generic();
  facts.root = true;
  facts.maps_several_ids = true;
  facts.landlock_abi = 7;
  facts.cgroup = {CgroupLayout::kHybrid, {"cpu", "memory", "pids"}, false};
  facts.caller.cwd = "/home/user/work/src";
  facts.caller.env = {{"TZ", "UTC"}};
  return facts;
}

policy::EffectivePolicy EverythingPolicy() {
  policy::EffectivePolicy policy = MixedPolicy();
  policy.cwd.value.reset();
  policy.env_pass = {{"TZ", {}}};
  policy.resources.value.cpus = 1.5;
  policy.resources.value.file_bytes = 1 << 30;
  policy.resources.value.swap_bytes = 1 << 30;
  policy.resources.value.memlock_bytes = UINT64_MAX;
  policy.named_limits = {"memory", "cpus", "openFiles"};
  policy.seccomp_profile.value = "ml";
  policy.landlock_required.value = true;
  policy.tcp_bind = std::vector<uint16_t>{8888};
  policy.tcp_connect.emplace();
  policy.on_exposed.value = policy::OnExposed::kKill;
  policy.on_missing.value = policy::OnMissing::kSeal;
  policy.identity.value = policy::Identity::kHostRoot;
  policy.time_namespace.value = true;
  policy.sysfs = true;
  return policy;
}

HostFacts BareFacts() {
  HostFacts facts = HostFacts::Generic();
  facts.cgroup = {};
  facts.landlock_abi = 0;
  facts.hard_limits = {{"RLIMIT_NOFILE", 1024}};
  return facts;
}

policy::EffectivePolicy RootfsPolicy() {
  policy::EffectivePolicy policy = MixedPolicy();
  policy.rootfs.value = "/srv/rootfs";
  policy.nesting.value = true;
  return policy;
}

// The specification, and below it the notes as an annotation of the test's own, so that they are compared too.
std::string Text(const policy::EffectivePolicy& policy, const HostFacts& facts) {
  auto result = Translate(policy, facts, FindTestSeccomp);
  REQUIRE_MESSAGE(result.ok(), result.error().Describe());
  std::string notes;
  for (const std::string& note : result->notes) notes += note + '\n';
  if (!notes.empty()) result->spec.annotations["test.notes"] = notes;
  return oci::WriteSpec(result->spec, true) + '\n';
}

void Compare(const std::string& name, const std::string& text) {
  const char* top = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (std::getenv("MXC_REWRITE_GOLDEN") != nullptr) {
    std::string path = (top != nullptr ? std::string(top) + "/" : std::string()) + kFolder + name;
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    REQUIRE_MESSAGE(out.good(), "write " << path);
    return;
  }
  std::ifstream in(kFolder + name, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), "no " << kFolder << name
                                   << "; MXC_REWRITE_GOLDEN=1 bazel run //shared/translate:golden_test makes it");
  std::ostringstream wanted;
  wanted << in.rdbuf();
  std::istringstream is(text), was(wanted.str());
  std::string line_is, line_was;
  for (int line = 1; text != wanted.str(); ++line) {
    bool more = bool(std::getline(is, line_is)), more_was = bool(std::getline(was, line_was));
    if (!more && !more_was) break;
    REQUIRE_MESSAGE((more == more_was && line_is == line_was),
                    name << ":" << line << ": was " << line_was << "\n is " << line_is
                         << "\n If that is right: MXC_REWRITE_GOLDEN=1 bazel run //shared/translate:golden_test");
  }
  CHECK(text == wanted.str());
}

TEST_CASE("golden specifications") {
  Compare("base.json", Text(BasePolicy(), HostFacts::Generic()));
  Compare("mixed.json", Text(MixedPolicy(), HostFacts::Generic()));
  Compare("everything-as-root.json", Text(EverythingPolicy(), RootFacts()));
  Compare("bare-host.json", Text(MixedPolicy(), BareFacts()));
  Compare("rootfs-nesting.json", Text(RootfsPolicy(), HostFacts::Generic()));
}

}  // namespace
}  // namespace mxc::translate
