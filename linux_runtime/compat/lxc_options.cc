#include "linux_runtime/compat/lxc_options.h"

#include <CLI/CLI.hpp>
#include <vector>

namespace mxc::compat {
namespace {

constexpr int kUsageExit = 2;
constexpr char kUsage[] = "Usage: lxc-exec [OPTIONS] [CONFIG_PATH]\n";
constexpr char kMore[] = "For more information, try '--help'.\n";
constexpr char kHelp[] = R"(Linux Container Executor

Usage: lxc-exec [OPTIONS] [CONFIG_PATH]

Arguments:
  [CONFIG_PATH]  MXC configuration, a JSON file

Options:
      --config <CONFIG>                The same
      --config-base64 <CONFIG_BASE64>  The configuration itself, in base64
      --debug                          Tell about the run on standard output
      --delete                         Delete a container
      --containername <CONTAINERNAME>  Which one (with --delete)
      --experimental                   Take x-linux and experimental backends
      --available-backends             Print what this host can run, as JSON
      --dry-run                        Check the configuration and run nothing
      --log-file <LOG_FILE>            Append a log to this file
      --setup-hyperlight[=<RUNTIMES>]  Refused: no Linux backend of ours needs it
      --force                          With --setup-hyperlight
  -h, --help                           Print help
)";

LxcParsed Refuse(const std::string& message, bool usage = true) {
  LxcParsed parsed;
  parsed.message = "error: " + message + "\n\n" + (usage ? std::string(kUsage) + "\n" : "") + kMore;
  parsed.exit_code = kUsageExit;
  return parsed;
}

LxcParsed Unexpected(const std::string& word) {
  std::string message = "unexpected argument '" + word + "' found";
  if (word.starts_with('-')) message += "\n\n  tip: to pass '" + word + "' as a value, use '-- " + word + "'";
  return Refuse(message);
}

// The option that a word of the command line is, without its value.
std::string NameOf(const std::string& word) { return word.substr(0, word.find('=')); }

// "--log-file" → "--log-file <LOG_FILE>"
std::string Label(const std::string& name) {
  std::string value = name.substr(2);
  for (char& c : value) c = c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name + " <" + value + ">";
}

}  // namespace

LxcParsed ParseLxcCommandLine(int argc, char** argv) {
  LxcOptions options;
  bool force = false, help = false;
  CLI::App app;
  app.set_help_flag();
  app.allow_windows_style_options(false);
  const std::pair<const char*, std::optional<std::string>*> values[] = {{"--config", &options.config},
                                                                        {"--config-base64", &options.config_base64},
                                                                        {"--containername", &options.container_name},
                                                                        {"--log-file", &options.log_file}};
  const std::pair<const char*, bool*> flags[] = {{"--debug", &options.debug},
                                                 {"--delete", &options.remove},
                                                 {"--experimental", &options.experimental},
                                                 {"--available-backends", &options.available_backends},
                                                 {"--dry-run", &options.dry_run},
                                                 {"--force", &force},
                                                 {"-h,--help", &help}};
  for (const auto& [name, value] : values) app.add_option(name, *value);
  for (const auto& [name, flag] : flags) app.add_flag(name, *flag);
  std::string runtimes;
  CLI::Option* hyperlight = app.add_option("--setup-hyperlight", runtimes)->expected(0, 1);
  app.add_option("config_path", options.path);

  // What CLI11 takes and the other parser doesn't: a value that looks like an option, an option that is there twice.
  std::vector<std::string> seen;
  int end = 1;
  for (int index = 1; index < argc; end = ++index) {
    const std::string word = argv[index];
    if (word == "--") break;
    const bool known =
        std::any_of(std::begin(values), std::end(values), [&](const auto& v) { return NameOf(word) == v.first; });
    if (!known) continue;
    const std::string label = Label(NameOf(word));
    if (std::find(seen.begin(), seen.end(), NameOf(word)) != seen.end()) {
      return Refuse("the argument '" + label + "' cannot be used multiple times");
    }
    seen.push_back(NameOf(word));
    if (word != NameOf(word)) continue;
    if (index + 1 >= argc || (argv[index + 1][0] == '-' && argv[index + 1][1] != '\0')) {
      return Refuse("a value is required for '" + label + "' but none was supplied", false);
    }
    ++index;
  }
  app.allow_extras();
  try {
    app.parse(end, argv);
  } catch (const CLI::ParseError& error) {
    return Refuse(error.what());
  }
  if (help) {
    LxcParsed parsed;
    parsed.message = kHelp;
    return parsed;
  }
  if (const std::vector<std::string> extras = app.remaining(); !extras.empty()) return Unexpected(extras.front());
  for (int index = end + 1; index < argc; ++index) {
    if (options.path) return Unexpected(argv[index]);
    options.path = argv[index];
  }
  options.setup_hyperlight = hyperlight->count() != 0;
  if (force && !options.setup_hyperlight) {
    LxcParsed parsed =
        Refuse("the following required arguments were not provided:\n  --setup-hyperlight[=<RUNTIMES>]", false);
    parsed.message.insert(parsed.message.rfind(kMore),
                          "Usage: lxc-exec --setup-hyperlight[=<RUNTIMES>] --force [CONFIG_PATH]\n\n");
    return parsed;
  }
  LxcParsed parsed;
  parsed.options = std::move(options);
  return parsed;
}

}  // namespace mxc::compat
