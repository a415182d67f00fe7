// The hosts that package managers are configured for, so that a company's mirror is in the group of domains, too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mxc::host {

// tool: "pip" (uv, too), "npm", "cargo" or "apt"; others have none. home: the caller's. root: in front of the system's files, for
// tests. Read are files of the system and those of the home that the shipped profiles keep as they are, where npm is configured for
// nothing also npm's own source; none of a project. What can't
// be read is passed over. "host", or "host:port" where a URL names a port; in lower case, sorted, each once.
std::vector<std::string> ConfiguredHosts(std::string_view tool, const std::string& home, const std::string& root = "");

}  // namespace mxc::host
