// Reads the policies of tests/data/policies, and, where a copy of Microsoft's examples lies beside the checkout, theirs.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>

#include "shared/policy/contract_support.h"
#include "shared/policy/document.h"
#include "shared/policy/read.h"
#include "shared/policy/write.h"

namespace mxc::policy {
namespace {

namespace fs = std::filesystem;

Result<Policy> ReadFile(const fs::path& path) {
  const std::string text = MXC_TRY(ReadFileLimited(path.string()));
  return ReadPolicy(text, {.source = path.filename().string()});
}

TEST_CASE("Every policy of tests/data/policies is read, and all that it asks for is built") {
  size_t read = 0;
  for (const auto& entry : fs::directory_iterator("tests/data/policies")) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".json") && !name.ends_with(".yaml")) continue;
    CAPTURE(name);
    const auto policy = ReadFile(entry.path());
    REQUIRE_MESSAGE(policy.ok(), policy.error().Describe());
    ++read;
    const auto built = RefuseUnbuilt(*policy);
    CHECK_MESSAGE(built.ok(), built.error().Describe());
    const auto again = ReadPolicy(WritePolicy(*policy), {.source = "again.json"});
    REQUIRE(again.ok());
    CHECK(SamePolicy(*policy, *again));
  }
  CHECK(read >= 11);
}

TEST_CASE("A policy is the same in JSON and in YAML") {
  const auto json = ReadFile("tests/data/policies/filesystem.json"),
             yaml = ReadFile("tests/data/policies/filesystem.yaml");
  REQUIRE(json.ok());
  REQUIRE(yaml.ok());
  CHECK(SamePolicy(*json, *yaml));
}

TEST_CASE("Microsoft's examples, of older contracts, are read or refused by the field that no Linux has") {
  // The data files are links into the checkout; beside that may lie `shared`.
  const fs::path checkout = fs::canonical("tests/data/policies/hello.json").parent_path() / "../../..";
  const fs::path examples = checkout / "../shared/mxc/examples";
  if (!fs::is_directory(examples)) {
    MESSAGE("left out: ../shared/mxc/examples is not beside this checkout");
    return;
  }
  // Meant for Linux: a host name is the one thing that can't be read.
  const std::map<std::string, std::string> linux_ones = {{"11_lxc_hello_world.json", ""},
                                                         {"12_lxc_filesystem_access.json", ""},
                                                         {"13_lxc_network_restricted.json", "/network/allowedHosts/0"},
                                                         {"30_network_0_8_directional.json", ""}};
  size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(examples)) {
    if (entry.path().extension() != ".json") continue;
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    const auto policy = ReadFile(entry.path());
    const std::string pointer = policy.ok() ? "" : policy.error().position()->pointer;
    const auto expected = linux_ones.find(name);
    if (expected != linux_ones.end()) {
      CHECK(pointer == expected->second);
      ++seen;
    } else if (!policy.ok()) {
      CAPTURE(policy.error().Describe());
      CHECK_FALSE(policy.error().message().empty());
      CHECK_FALSE(pointer.empty());
    }
    if (!policy.ok()) continue;
    const auto again = ReadPolicy(WritePolicy(*policy), {.source = "again.json"});
    REQUIRE_MESSAGE(again.ok(), again.error().Describe());
    CHECK(SamePolicy(*policy, *again));
  }
  CHECK(seen == linux_ones.size());
}

}  // namespace
}  // namespace mxc::policy
