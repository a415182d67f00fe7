// What the owner of a Windows machine forbids, by Group Policy or Intune: values below HKLM\SOFTWARE\Policies\MxcRuntime\MxcHost
// (docs/managed-windows.md). It only narrows. Read once a start, as a whole or not at all: an unknown name, a wrong type or a value
// out of range ends mxc.exe with an error that names it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/client/host.h"
#include "shared/client/options.h"

namespace mxc::windows {

inline constexpr char kManagedKey[] = "SOFTWARE\\Policies\\MxcRuntime\\MxcHost";

struct ManagedPolicy {
  bool enabled = true;
  std::optional<std::vector<std::string>> allowed_distributions;
  std::vector<std::string> denied_distributions;
  bool hvsocket_required = false, elevated_allowed = true, detached_allowed = true, audit_required = false;
  // What a sandbox may be: sent to mxcd, which narrows by it (shared/policy/floor.h).
  std::vector<client::NamedText> floors;
  std::string digest;  // "sha256:…" over all of it; "": the machine isn't managed

  bool names_distributions() const { return allowed_distributions || !denied_distributions.empty(); }
};

// Errors: as above; kUnsupported: this mxc.exe is older than MinimumVersion; PolicyFile can't be read or is not the one whose
// digest the registry has. path: of the key in HKLM.
Result<ManagedPolicy> ReadManagedPolicy(const std::string& path = kManagedKey);

// Refuses (kRefused) a command that the machine's owner does not want. elevated: this process has an administrator's rights.
Result<void> CheckCommand(const ManagedPolicy& managed, const client::Options& options, bool elevated);

// Refuses (kRefused) a distribution, by its registered name; "" is none that is allowed.
Result<void> CheckDistribution(const ManagedPolicy& managed, const std::string& name);

// The distribution as wsl.exe is to be told; wanted, "": the default one. Where the machine's policy names distributions it is one by
// its registered name, so that none other is started than the one that was looked at. Errors: as ChooseDistribution and
// CheckDistribution.
Result<std::string> DistributionFor(const std::string& wanted, const ManagedPolicy& managed);

}  // namespace mxc::windows
