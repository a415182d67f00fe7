// What the tests of resolve and its users share: a caller, and policies from text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/embedded_profiles.h"
#include "shared/policy/read.h"
#include "shared/policy/resolve.h"

namespace mxc::policy {

inline Caller AliceInProject() {
  Caller caller;
  caller.user = "alice";
  caller.home = "/home/alice";
  caller.cwd = "/home/alice/proj";
  caller.uid = 1000;
  caller.gid = 1000;
  caller.env = {{"TZ", "UTC"}, {"SSH_AUTH_SOCK", "/tmp/agent"}, {"API_KEY", "k"}};
  return caller;
}

// A document of contract 1.0.0 with these members besides version and process: `{"filesystem":{…}}` without its braces.
inline Policy PolicyWith(const std::string& members, const std::string& process = R"({"commandLine":"true"})") {
  const std::string text =
      R"({"version":"1.0.0","process":)" + process + (members.empty() ? "" : ",\n") + members + "}";
  return ReadPolicy(text, {.source = "p.json"}).value();
}

inline Result<EffectivePolicy> ResolveText(const std::string& members,
                                           const std::vector<std::pair<std::string, std::string>>& floors = {},
                                           const Caller& caller = AliceInProject(),
                                           const CommandLine& command_line = {}) {
  static const ProfileSet kProfiles = EmbeddedProfiles();
  auto read = ReadFloors(floors);
  if (!read.ok()) return std::move(read).error();
  return Resolve(PolicyWith(members), kProfiles, *read, caller, command_line);
}

}  // namespace mxc::policy
