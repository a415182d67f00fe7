#include "shared/policy/explain.h"

#include <doctest/doctest.h>

#include <sstream>

#include "shared/policy/resolve_testing.h"

namespace mxc::policy {
namespace {

std::string SectionText(const std::string& members, const char* title) {
  const auto policy = ResolveText(members);
  REQUIRE(policy.ok());
  for (Section& section : Explain(*policy)) {
    if (section.title == title) return AsText({section});
  }
  return "no such section";
}

TEST_CASE("files as a person reads them") {
  CHECK(SectionText("\"filesystem\":{\"readonlyPaths\":[\"/data\"],\n\"deniedPaths\":[\"/data/k\\u001b\"]}", "files") ==
        "files\n"
        "  ro    /data                        p.json:2 /filesystem/readonlyPaths/0\n"
        "  deny  /data/k\\x1b                  p.json:3 /filesystem/deniedPaths/0\n"
        "  deny  32 paths, listed with --all  built in\n"
        "  deny  82 paths, listed with --all  profile secrets\n"
        "  ro    42 paths, listed with --all  profile base-system\n");
}

TEST_CASE("limits name the policy where it named them") {
  const std::string text = SectionText(R"("x-linux":{"resources":{"memory":"512MiB"}})", "limits");
  CHECK(text.find("memory       512 MiB   p.json:2 /x-linux/resources\n") != std::string::npos);
  CHECK(text.find("pids         1024      profile default\n") != std::string::npos);
  CHECK(text.find("fileSize     no limit  profile default\n") != std::string::npos);
}

TEST_CASE("a whole policy fits a terminal of 80 columns, and values of the caller aren't shown") {
  const auto policy =
      ResolveText(R"("filesystem":{"readwritePaths":["/home/alice"]},"x-linux":{"env":{"pass":["API_KEY"]}})");
  REQUIRE(policy.ok());
  std::istringstream text(AsText(Explain(*policy)));
  for (std::string line; std::getline(text, line);) {
    CAPTURE(line);
    const bool unbreakable = line.find("sha256:") != std::string::npos || line.find("PATH ") != std::string::npos;
    if (!unbreakable) CHECK(line.size() <= 80);
    if (line.find("API_KEY") != std::string::npos) CHECK(line.find("(the caller's)") != std::string::npos);
  }
  CHECK(AsText(Explain(*policy, true)).find("/home/alice/.ssh") != std::string::npos);
}

TEST_CASE("untrusted text can't move the cursor or turn the line around") {
  CHECK(Printable("plain é €") == "plain é €");
  CHECK(Printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
  CHECK(Printable("\xE2\x80\xAE") == "\\xe2\\x80\\xae");
  CHECK(Printable("\xC2\x9B") == "\\xc2\\x9b");
  CHECK(Printable("\xFF\xC3") == "\\xff\\xc3");
}

TEST_CASE("bytes") {
  CHECK(DescribeBytes(0) == "0 B");
  CHECK(DescribeBytes(1536 * 1024) == "1536 KiB");
  CHECK(DescribeBytes(uint64_t{4} << 30) == "4 GiB");
  CHECK(DescribeBytes(UINT64_MAX) == "unlimited");
}

}  // namespace
}  // namespace mxc::policy
