#include "shared/translate/host_facts.h"

#include "doctest/doctest.h"

namespace mxc::translate {
namespace {

HostFacts Filled() {
  HostFacts facts = HostFacts::Generic();
  facts.cgroup = {CgroupLayout::kHybrid, {"pids", "memory"}, false};
  facts.root = true;
  facts.user_namespaces = false;
  facts.time_namespaces = false;
  facts.maps_several_ids = true;
  facts.raises_limits = true;
  facts.hard_limits = {{"RLIMIT_NOFILE", 4096}, {"RLIMIT_CORE", UINT64_MAX}};
  facts.caller.groups = {4, 1000};
  facts.caller.env = {{"TZ", "Europe/Berlin"}, {"QUOTE", "\"\\\n"}};
  facts.caller.own_programs = {"/home/me/mxc"};
  facts.wsl = {true, "mirrored", "Debian", true};
  facts.merged_usr = false;
  return facts;
}

TEST_CASE("host facts survive writing and reading") {
  for (const HostFacts& facts : {HostFacts(), HostFacts::Generic(), Filled()}) {
    auto back = ReadHostFacts(WriteHostFacts(facts), "facts.json");
    REQUIRE_MESSAGE(back.ok(), back.error().Describe());
    CHECK(*back == facts);
  }
}

TEST_CASE("absent names keep their defaults") {
  auto facts = ReadHostFacts("{}", "f");
  REQUIRE(facts.ok());
  CHECK(*facts == HostFacts());
}

TEST_CASE("errors name their place") {
  const std::pair<const char*, const char*> kBad[] = {
      {"[]", ""},
      {R"({"kernel":6})", "/kernel"},
      {R"({"kernelMajor":"6"})", "/kernelMajor"},
      {R"({"kernelMajor":-6})", "/kernelMajor"},
      {R"({"kernelMajor":4294967296})", "/kernelMajor"},
      {R"({"root":1})", "/root"},
      {R"({"cgroup":{"layout":"v3"}})", "/cgroup/layout"},
      {R"({"cgroup":{"controllers":["cpu",1]}})", "/cgroup/controllers/1"},
      {R"({"caller":{"uid":1,"shell":"sh"}})", "/caller/shell"},
      {R"({"caller":{"env":{"A/B":1}}})", "/caller/env/A~1B"},
      {R"({"hardLimits":{"RLIMIT_CORE":-1}})", "/hardLimits/RLIMIT_CORE"},
      {R"({"wsl":null})", "/wsl"},
      {R"({"root":true,"root":false})", "/root"},
  };
  for (const auto& [json, pointer] : kBad) {
    auto facts = ReadHostFacts(json, "facts.json");
    REQUIRE_FALSE_MESSAGE(facts.ok(), json);
    REQUIRE(facts.error().position().has_value());
    CHECK_MESSAGE(facts.error().position()->pointer == pointer, json);
    CHECK(facts.error().position()->source == "facts.json");
  }
}

TEST_CASE("kernel versions are compared as numbers") {
  HostFacts facts;
  facts.kernel_major = 6;
  facts.kernel_minor = 10;
  CHECK(facts.KernelAtLeast(6, 9));
  CHECK(facts.KernelAtLeast(5, 19));
  CHECK_FALSE(facts.KernelAtLeast(6, 11));
  CHECK_FALSE(facts.KernelAtLeast(7, 0));
}

}  // namespace
}  // namespace mxc::translate
