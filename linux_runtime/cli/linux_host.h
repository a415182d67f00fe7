// The commands' view of this Linux: files, who calls, what the host can do, and what the machine's owner laid down
// in /etc/mxc.
#pragma once

#include <optional>

#include "linux_runtime/cgroup/hierarchy.h"
#include "shared/client/host.h"

namespace mxc::cli {

inline constexpr char kProfilesFolder[] = "/etc/mxc/profiles.d";
inline constexpr char kFloorFolder[] = "/etc/mxc/policy.d";

// The *.yaml, *.yml and *.json files of a folder, sorted by name; none when the folder doesn't exist. The folder and
// each file must belong to root and be writable by nobody else, since whoever can write there decides what is allowed:
// else kRefused. Any other problem is an error, too: a rule that can't be read is not a rule that isn't there.
Result<std::vector<client::NamedText>> ReadTrustedFolder(const std::string& folder);

class LinuxHost : public client::Host {
 public:
  explicit LinuxHost(const char* const* environment) : environment_(environment) {}

  Result<std::string> ReadFile(const std::string& path) override;
  Result<policy::Caller> Caller() override;
  Result<translate::HostFacts> Facts() override;
  // Looked at once.
  const cgroup::Hierarchy& Cgroups();
  Result<std::vector<client::NamedText>> AddedProfiles() override { return ReadTrustedFolder(kProfilesFolder); }
  Result<std::vector<client::NamedText>> Floors() override { return ReadTrustedFolder(kFloorFolder); }

 private:
  const char* const* environment_;
  std::optional<cgroup::Hierarchy> cgroups_;
  std::optional<translate::HostFacts> facts_;
};

// Where compiled filters are kept: $XDG_CACHE_HOME/mxc or $HOME/.cache/mxc; empty for nowhere.
std::string FilterCacheFolder();

}  // namespace mxc::cli
