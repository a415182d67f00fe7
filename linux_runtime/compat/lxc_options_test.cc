#include "linux_runtime/compat/lxc_options.h"

#include <doctest/doctest.h>

#include <vector>

namespace mxc::compat {
namespace {

LxcParsed Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "lxc-exec");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return ParseLxcCommandLine(static_cast<int>(words.size()), argv.data());
}

constexpr char kTail[] = "\n\nUsage: lxc-exec [OPTIONS] [CONFIG_PATH]\n\nFor more information, try '--help'.\n";

TEST_CASE("options are taken in both spellings, in any order") {
  const LxcParsed parsed = Parse({"--debug", "--config=a.json", "b.json", "--config-base64", "e30=", "--dry-run",
                                  "--log-file", "l", "--experimental"});
  REQUIRE_MESSAGE(parsed.options.has_value(), parsed.message);
  CHECK(parsed.options->config == "a.json");
  CHECK(parsed.options->path == "b.json");
  CHECK(parsed.options->config_base64 == "e30=");
  CHECK(parsed.options->log_file == "l");
  CHECK(parsed.options->debug);
  CHECK(parsed.options->dry_run);
  CHECK(parsed.options->experimental);
  CHECK_FALSE(parsed.options->remove);
  CHECK(Parse({"--", "--odd"}).options->path == "--odd");
  CHECK(Parse({"--delete", "--containername", "x"}).options->container_name == "x");
  CHECK(Parse({"--setup-hyperlight"}).options->setup_hyperlight);
  CHECK(Parse({"--setup-hyperlight=node", "--force"}).options->setup_hyperlight);
  CHECK(Parse({}).options.has_value());
}

TEST_CASE("usage errors end with 2 and say so in its words") {
  const auto message = [](const std::vector<std::string>& words) {
    const LxcParsed parsed = Parse(words);
    CHECK(parsed.exit_code == 2);
    CHECK_FALSE(parsed.options.has_value());
    return parsed.message;
  };
  for (const char* word : {"--foo", "--version", "-x", "--allow-testing-features"}) {
    CHECK(message({word}) == std::string("error: unexpected argument '") + word + "' found\n\n  tip: to pass '" + word +
                                 "' as a value, use '-- " + word + "'" + kTail);
  }
  CHECK(message({"a", "b"}) == std::string("error: unexpected argument 'b' found") + kTail);
  CHECK(message({"--config"}) ==
        "error: a value is required for '--config <CONFIG>' but none was supplied\n\nFor more information, try "
        "'--help'.\n");
  CHECK(message({"--config", "--debug"}) == message({"--config"}));
  CHECK(message({"--config-base64"}).starts_with("error: a value is required for '--config-base64 <CONFIG_BASE64>'"));
  CHECK(message({"--config", "a", "--config", "b"})
            .starts_with("error: the argument '--config <CONFIG>' cannot be used"));
  CHECK(message({"--force"}) ==
        "error: the following required arguments were not provided:\n  --setup-hyperlight[=<RUNTIMES>]\n\nUsage: "
        "lxc-exec "
        "--setup-hyperlight[=<RUNTIMES>] --force [CONFIG_PATH]\n\nFor more information, try '--help'.\n");
}

TEST_CASE("help") {
  for (const char* word : {"-h", "--help"}) {
    const LxcParsed parsed = Parse({word});
    CHECK(parsed.exit_code == 0);
    CHECK(parsed.message.starts_with("Linux Container Executor\n\nUsage: lxc-exec [OPTIONS] [CONFIG_PATH]\n"));
  }
}

}  // namespace
}  // namespace mxc::compat
