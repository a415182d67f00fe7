#include "shared/client/options.h"

#include <string>
#include <utility>
#include <vector>

#include "doctest/doctest.h"

namespace mxc::client {
namespace {

Parsed ParseWith(const Offer& offer, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return ParseCommandLine(static_cast<int>(arguments.size()), argv.data(), offer);
}

Parsed Parse(std::vector<std::string> arguments, bool run) {
  return ParseWith({.run = run, .program = "mxc"}, std::move(arguments));
}

// As mxc.exe offers.
Parsed ParseWindows(std::vector<std::string> arguments) {
  return ParseWith({.sessions = true, .distributions = true, .program = "mxc.exe"}, std::move(arguments));
}

// As mxc offers.
Parsed ParseLinux(std::vector<std::string> arguments) {
  return ParseWith({.run = true, .sessions = true, .program = "mxc"}, std::move(arguments));
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

TEST_CASE("With distributions a run is mxcd's, and nothing that only Linux does is offered") {
  Parsed run =
      ParseWindows({"mxc.exe", "--distribution", "Debian 12", "--user", "me", "run", "-p", "p.json", "--", "ls"});
  REQUIRE(run.options);
  CHECK(run.options->command == Command::kRun);
  CHECK(run.options->daemon);
  CHECK(run.options->distribution == "Debian 12");
  CHECK(run.options->user == "me");
  CHECK(run.options->argv == std::vector<std::string>{"ls"});
  CHECK(ParseWindows({"mxc.exe", "run", "--", "ls"}).options->distribution.empty());
  CHECK(ParseWindows({"mxc.exe", "--distribution", "Debian", "exec", "s1", "--", "ls"}).options->session == "s1");
  for (const char* command : {"provision", "list", "spec", "check", "plan", "doctor", "version"}) {
    CAPTURE(command);
    CHECK(ParseWindows({"mxc.exe", command}).options.has_value());
  }
  CHECK(ParseWindows({"mxc.exe", "--help"}).message.find("__hold") == std::string::npos);
  for (const char* option : {"--daemon", "--spec=s.json", "--report=r.json", "--host-facts=f.json"}) {
    CAPTURE(option);
    CHECK(ParseWindows({"mxc.exe", "run", option, "--", "ls"}).exit_code == 125);
  }
}

TEST_CASE("On Linux there are no distributions, and --daemon is asked for") {
  CHECK_FALSE(ParseLinux({"mxc", "run", "--", "ls"}).options->daemon);
  CHECK(ParseLinux({"mxc", "run", "--daemon", "--", "ls"}).options->daemon);
  CHECK(ParseLinux({"mxc", "--distribution", "Debian", "run", "--", "ls"}).exit_code == 125);
  CHECK(ParseLinux({"mxc", "--user", "me", "list"}).exit_code == 125);
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
