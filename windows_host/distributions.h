// The WSL distributions of this user, as WSL registers them (HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss). The user himself
// may write there: it says which distribution is meant, and proves nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace mxc::windows {

inline constexpr char kDistributionsKey[] = "Software\\Microsoft\\Windows\\CurrentVersion\\Lxss";

struct Distribution {
  std::string id;    // GUID in braces
  std::string name;  // as registered
  uint32_t wsl = 2;  // 1 or 2
  bool installed = true;
  bool is_default = false;
};

// Nothing: WSL was never used by this user, or not as it is known. In the order of their names.
Result<std::optional<std::vector<Distribution>>> ReadDistributions(const std::string& key = kDistributionsKey);

// The one that a name means, "" the default one. Errors: kNotFound: there is none, with what to do; kUnsupported: it is of WSL 1;
// kRefused: it is being installed or removed.
Result<Distribution> ChooseDistribution(const std::vector<Distribution>& all, const std::string& name);

}  // namespace mxc::windows
