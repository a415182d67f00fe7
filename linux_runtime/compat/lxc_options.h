// The command line of Microsoft's lxc-exec: names, precedence and refusals as of its version 1.0.1.
#pragma once

#include <optional>
#include <string>

namespace mxc::compat {

struct LxcOptions {
  std::optional<std::string> config_base64;  // wins over
  std::optional<std::string> config;         // wins over
  std::optional<std::string> path;
  bool debug = false;
  bool remove = false;  // --delete
  std::optional<std::string> container_name;
  bool experimental = false;
  bool available_backends = false;
  bool dry_run = false;
  std::optional<std::string> log_file;
  bool setup_hyperlight = false;
};

struct LxcParsed {
  std::optional<LxcOptions> options;
  std::string message;  // help or a usage error
  int exit_code = 0;    // with a message: 0 for help, 2 for an error
};

LxcParsed ParseLxcCommandLine(int argc, char** argv);

}  // namespace mxc::compat
