#include "shared/client/options.h"

#include <string>
#include <vector>

#include "doctest/doctest.h"

namespace mxc::client {
namespace {

Parsed Parse(std::vector<std::string> arguments, bool run) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return ParseCommandLine(static_cast<int>(arguments.size()), argv.data(), {.run = run, .program = "mxc"});
}

TEST_CASE("What stands after -- belongs to the program") {
  Parsed parsed = Parse({"mxc", "spec", "--policy", "p.json", "--", "grep", "--policy", "x", "--", "y"}, false);
  REQUIRE(parsed.options);
  CHECK(parsed.options->command == Command::kSpec);
  CHECK(*parsed.options->policy == "p.json");
  CHECK(parsed.options->argv == std::vector<std::string>{"grep", "--policy", "x", "--", "y"});
}

TEST_CASE("A path of Linux is no option, on Windows either") {
  Parsed parsed = Parse({"mxc", "why", "read", "/home/me"}, false);
  REQUIRE(parsed.options);
  CHECK(parsed.options->why == std::vector<std::string>{"read", "/home/me"});
  CHECK(Parse({"mxc", "spec", "/policy", "p.json"}, false).exit_code == 125);
}

TEST_CASE("Where nothing can run, run, plan and doctor are unknown") {
  for (const char* command : {"run", "plan", "doctor"}) {
    CAPTURE(command);
    CHECK(Parse({"mxc", command}, true).options.has_value());
    Parsed parsed = Parse({"mxc", command}, false);
    CHECK_FALSE(parsed.options);
    CHECK(parsed.exit_code == 125);
    CHECK_FALSE(parsed.message.empty());
  }
  CHECK(Parse({"mxc", "--help"}, false).message.find("doctor") == std::string::npos);
  CHECK(Parse({"mxc", "--help"}, true).message.find("doctor") != std::string::npos);
}

TEST_CASE("A mistake is 125 and help is 0") {
  CHECK(Parse({"mxc"}, true).exit_code == 125);
  CHECK(Parse({"mxc", "spec", "--nonsense"}, true).exit_code == 125);
  CHECK(Parse({"mxc", "--color", "pink", "version"}, true).exit_code == 125);
  CHECK(Parse({"mxc", "version", "--", "ls"}, true).exit_code == 125);
  CHECK(Parse({"mxc", "spec", "--"}, true).exit_code == 125);
  Parsed help = Parse({"mxc", "spec", "--help"}, true);
  CHECK_FALSE(help.options);
  CHECK(help.exit_code == 0);
}

}  // namespace
}  // namespace mxc::client
