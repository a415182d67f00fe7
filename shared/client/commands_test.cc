#include "shared/client/commands.h"

#include <map>
#include <string>

#include "doctest/doctest.h"
#include "shared/client/prepare.h"

namespace mxc::client {
namespace {

// A machine of made-up files.
class TableHost : public Host {
 public:
  std::map<std::string, std::string> files;
  int reads_of_input = 0;
  std::vector<std::string> own_programs;

  Result<std::string> ReadFile(const std::string& path) override {
    if (path == "-") ++reads_of_input;
    auto found = files.find(path);
    if (found == files.end()) return Error(Code::kNotFound, path + ": no such file");
    return found->second;
  }
  Result<policy::Caller> Caller() override {
    policy::Caller caller = CallerOf(translate::HostFacts::Generic());
    caller.own_programs = own_programs;
    return caller;
  }
  Result<translate::HostFacts> Facts() override { return translate::HostFacts::Generic(); }
  Result<std::vector<NamedText>> AddedProfiles() override { return std::vector<NamedText>(); }
  Result<std::vector<NamedText>> Floors() override { return floors; }
  std::vector<NamedText> floors;
};

std::string FactsOf(const std::string& user, const std::string& distribution) {
  translate::HostFacts facts = translate::HostFacts::Generic();
  facts.caller.user = user;
  facts.caller.home = "/home/" + user;
  facts.caller.cwd = "/home/" + user + "/desk";
  facts.caller.uid = 1234;
  facts.caller.own_programs = {"/home/" + user + "/desk/mxc"};
  facts.wsl.is_wsl = true;
  facts.wsl.distribution = distribution;
  return translate::WriteHostFacts(facts);
}

Options Asking(Command command) {
  Options options;
  options.command = command;
  options.policy = "p.json";
  options.argv = {"/bin/true"};
  return options;
}

constexpr char kWindowsPaths[] = R"({"version": "1.0.0",
  "filesystem": {"readonlyPaths": ["C:\\data\\in", "\\\\wsl.localhost\\Debian\\opt\\models"]}})";

TEST_CASE("--host-facts says who calls, too") {
  TableHost host;
  host.files = {{"p.json", kWindowsPaths}, {"facts.json", FactsOf("dana", "Debian")}};
  Options options = Asking(Command::kSpec);
  CHECK_FALSE(RunSpecCommand(options, host).ok());  // the generic host is in no distribution named Debian
  options.host_facts = "facts.json";
  options.profile = "build";  // which grants the folder the caller is in
  auto prepared = PrepareSpec(options, host);
  REQUIRE(prepared.ok());
  CHECK(prepared->prepared.named_facts->caller.user == "dana");
  auto spec = RunSpecCommand(options, host);
  REQUIRE(spec.ok());
  CHECK(spec->find("\"/mnt/c/data/in\"") != std::string::npos);
  CHECK(spec->find("\"/opt/models\"") != std::string::npos);
  CHECK(spec->find("\"/home/dana/desk\"") != std::string::npos);
  CHECK(spec->find("{\\\"path\\\":\\\"/home/dana/desk/mxc\\\"") != std::string::npos);  // protected
  CHECK(spec->ends_with("}\n"));
}

TEST_CASE("What runs here leaves this host's own programs alone, whoever's facts it was translated by") {
  TableHost host;
  host.own_programs = {"/opt/mxc"};
  host.files = {{"p.json", R"({"version": "1.0.0", "filesystem": {"readwritePaths": ["/opt"]}})"},
                {"facts.json", FactsOf("dana", "")}};
  Options options = Asking(Command::kRun);
  options.host_facts = "facts.json";
  auto holds = [&] {
    return RunSpecCommand(options, host)->find("{\\\"path\\\":\\\"/opt/mxc\\\"") != std::string::npos;
  };
  CHECK(holds());
  options.command = Command::kSpec;
  CHECK_FALSE(holds());  // made for another host, so with nothing of this one
}

TEST_CASE("Facts come from standard input, too, which is read once") {
  TableHost host;
  host.files = {{"p.json", R"({"version": "1.0.0"})"}, {"-", FactsOf("dana", "")}};
  Options options = Asking(Command::kCheck);
  options.host_facts = "-";
  CHECK(RunCheckCommand(options, host).ok());
  CHECK(host.reads_of_input == 1);
}

TEST_CASE("check says whose host it speaks of") {
  TableHost host;
  host.files = {{"p.json", R"({"version": "1.0.0"})"}, {"facts.json", FactsOf("dana", "")}};
  Options options = Asking(Command::kCheck);
  auto here = RunCheckCommand(options, host);
  REQUIRE(here.ok());
  CHECK(here->find("This host enforces all of it.") != std::string::npos);
  options.host_facts = "facts.json";
  auto there = RunCheckCommand(options, host);
  REQUIRE(there.ok());
  CHECK(there->find("The host of facts.json enforces all of it.") != std::string::npos);
}

TEST_CASE("A file that can't be read or understood ends the command") {
  TableHost host;
  Options options = Asking(Command::kSpec);
  auto missing = RunSpecCommand(options, host);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().Describe() == "read the policy: p.json: no such file");
  host.files = {{"p.json", R"({"version": "1.0.0"})"}, {"facts.json", R"({"kernel": 6})"}};
  options.host_facts = "facts.json";
  auto facts = RunSpecCommand(options, host);
  REQUIRE_FALSE(facts.ok());
  CHECK(facts.error().Describe() == "facts.json: /kernel: host facts: unknown name");
  options.host_facts.reset();
  host.floors = {{"floor.yaml", "nonsense: 1\n"}};
  auto floor = RunSpecCommand(options, host);
  REQUIRE_FALSE(floor.ok());
  CHECK(floor.error().Describe().find("floor.yaml") != std::string::npos);
}

TEST_CASE("spec wants a program, check and why don't") {
  TableHost host;
  host.files = {{"p.json", R"({"version": "1.0.0"})"}};
  Options options = Asking(Command::kSpec);
  options.argv.clear();
  auto spec = RunSpecCommand(options, host);
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().code() == Code::kUsage);
  CHECK(RunCheckCommand(options, host).ok());
  options.why = {"read", "/usr/bin/env"};
  CHECK(RunWhyCommand(options, host).ok());
}

TEST_CASE("migrate writes an old policy in the newest form") {
  TableHost host;
  host.files["p.json"] = R"({"version":"0.6.0-alpha","_comment":"old","process":{"commandLine":"true"},
    "network":{"defaultPolicy":"block","allowedHosts":["192.0.2.0/24"]}})";
  const auto text = RunMigrateCommand(Asking(Command::kMigrate), host);
  REQUIRE(text.ok());
  CHECK(*text == R"({
  "version": "1.0.0",
  "process": {
    "commandLine": "true"
  },
  "network": {
    "egress": {
      "allow": [
        {
          "to": [
            {
              "cidr": "192.0.2.0/24"
            }
          ]
        }
      ]
    }
  }
}
)");
}

TEST_CASE("check names fields without effect, and refuses them when it is strict") {
  TableHost host;
  host.files["p.json"] = R"({"version":"1.0.0","containment":"lxc","lxc":{"distribution":"alpine","release":"3.20"},
    "process":{"commandLine":"true"}})";
  Options options = Asking(Command::kCheck);
  const auto text = RunCheckCommand(options, host);
  REQUIRE(text.ok());
  CHECK(text->find(
            "note: /lxc has no effect: this system's own programs are shown read-only, not those of alpine 3.20") !=
        std::string::npos);
  options.strict = true;
  const auto refused = RunCheckCommand(options, host);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().position()->pointer == "/lxc");
  CHECK(refused.error().position()->line == 1);
  host.files["p.json"] = R"({"version":"1.0.0","process":{"commandLine":"true"}})";
  CHECK(RunCheckCommand(options, host).ok());
}

TEST_CASE("profiles lists each with a line") {
  TableHost host;
  Options options;
  options.command = Command::kProfiles;
  auto list = RunProfilesCommand(options, host);
  REQUIRE(list.ok());
  CHECK(list->find("\nml-train") != std::string::npos);
  options.profile = "none-such";
  CHECK_FALSE(RunProfilesCommand(options, host).ok());
}

}  // namespace
}  // namespace mxc::client
