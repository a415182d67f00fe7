// Who runs, from where: the facts outside of policy, profile and floor that a resolved policy depends on. They are given,
// never looked up, so that mxcd and mxc.exe come to the same result from the same values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mxc::policy {

struct Caller {
  std::string user;
  std::string home;  // in Linux; needed where a profile says ~
  std::string cwd;   // in Linux; needed where a profile says ${cwd}
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string automount_root = "/mnt";  // where WSL shows Windows drives
  std::string distro;                   // registered name in WSL; "": not WSL
  bool wsl = false;  // in WSL, also where the name isn't known: sudo, cron and ssh clear WSL_DISTRO_NAME
  std::vector<std::pair<std::string, std::string>> env;
  // The hosts ("host" or "host:port") that the configuration of "pip", "npm", "cargo" or "apt" names. Looked at only when a group
  // of domains asks for it.
  std::function<std::vector<std::string>(std::string_view tool)> configured_hosts;
  std::vector<std::string> own_programs;  // where mxc's programs and libraries lie, if not under /usr/local
};

struct CommandLine {
  std::optional<std::string> profile;  // --profile: instead of the policy's
  std::vector<std::string> argv;       // after --: instead of the policy's commandLine
  std::string run_name;                // label, where the policy has no containerId
};

}  // namespace mxc::policy
