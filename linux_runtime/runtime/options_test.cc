#include "linux_runtime/runtime/options.h"

#include <doctest/doctest.h>

namespace mxc::runtime {
namespace {

Parsed Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "mxc-runtime");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return ParseCommandLine(static_cast<int>(words.size()), argv.data());
}

TEST_CASE("what podman, conmon and containerd write") {
  Parsed create =
      Parse({"--systemd-cgroup", "--log-format=json", "--log", "/l", "create", "--bundle", "/b", "--pid-file", "/p",
             "--no-pivot", "--no-new-keyring", "--preserve-fds", "2", "--console-socket", "/s", "box"});
  REQUIRE(create.options.has_value());
  CHECK(create.options->command == Command::kCreate);
  CHECK(create.options->id == "box");
  CHECK(create.options->log.json);
  CHECK(create.options->manager == cgroup::ManagerKind::kSystemd);
  CHECK(create.options->preserve_fds == 2);
  CHECK(create.options->no_new_keyring);

  Parsed exec = Parse({"exec", "--pid-file", "/p", "--process", "/f", "--detach", "--tty", "box"});
  REQUIRE(exec.options.has_value());
  CHECK(exec.options->exec.process == "/f");
  CHECK(exec.options->detach);
  CHECK(exec.options->arguments.empty());

  Parsed kill = Parse({"kill", "--all", "box", "9"});
  REQUIRE(kill.options.has_value());
  CHECK(kill.options->all);
  CHECK(kill.options->signal == "9");
  CHECK(Parse({"kill", "box"}).options->signal == "SIGTERM");
  CHECK(Parse({"update", "--resources=-", "box"}).options->update.resources == "-");
  CHECK(Parse({"update", "--memory", "-1", "box"}).options->update.memory == -1);
  CHECK(Parse({"ps", "--format", "json", "box"}).options->format == "json");
  CHECK(Parse({"--version"}).options->command == Command::kVersion);
}

TEST_CASE("the command of exec is left as it is") {
  Parsed exec = Parse({"exec", "-e", "A=1", "-e", "B=2", "--user", "1:2", "box", "ls", "-la", "--", "--user"});
  REQUIRE(exec.options.has_value());
  CHECK(exec.options->id == "box");
  CHECK(exec.options->exec.env == std::vector<std::string>{"A=1", "B=2"});
  CHECK(exec.options->exec.user == "1:2");
  CHECK(exec.options->arguments == std::vector<std::string>{"ls", "-la", "--", "--user"});
}

TEST_CASE("wrong words are usage errors") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"create"},
                                             {"nonsense"},
                                             {"--log-format", "xml", "list"},
                                             {"--cgroup-manager", "none", "list"},
                                             {"create", "--preserve-fds", "x", "box"},
                                             {"events", "--interval", "0", "box"},
                                             {"events", "--interval", "x", "box"},
                                             {"events", "--interval", "5x", "box"},
                                             {"events", "--interval", "-1s", "box"},
                                             {"update", "--memory", "5X", "box"},
                                             {"update", "--memory", "much", "box"}}) {
    Parsed parsed = Parse(words);
    CAPTURE(words[0]);
    CHECK_FALSE(parsed.options.has_value());
    CHECK(parsed.exit_code == 1);
    CHECK_FALSE(parsed.message.empty());
  }
}

TEST_CASE("sizes and times have units") {
  CHECK(Parse({"update", "--memory", "50M", "--memory-swap", "-1", "box"}).options->update.memory == 50 << 20);
  CHECK(Parse({"update", "--memory", "5", "--memory-swap", "-1", "box"}).options->update.memory_swap == -1);
  for (const auto& [text, milliseconds] :
       {std::pair{"100ms", 100}, {"5s", 5000}, {"2", 2000}, {"1.5m", 90'000}, {"1h", 3'600'000}})
    CHECK(Parse({"events", "--interval", text, "box"}).options->interval_ms == milliseconds);
}

TEST_CASE("help is no error") {
  CHECK(Parse({"--help"}).exit_code == 0);
  CHECK(Parse({}).exit_code == 0);
  CHECK(Parse({"create", "--help"}).message.find("--bundle") != std::string::npos);
}

}  // namespace
}  // namespace mxc::runtime
