#include "windows_host/distributions.h"

#include <algorithm>

#include "shared/base/escape_text.h"
#include "windows_host/registry.h"

namespace mxc::windows {
namespace {

constexpr uint32_t kInstalled = 1;  // the value State; 3: being installed, 4: being removed

std::string Names(const std::vector<Distribution>& all) {
  std::string names;
  for (const Distribution& one : all) names += (names.empty() ? "" : ", ") + EscapeText(one.name);
  return names;
}

}  // namespace

Result<std::optional<std::vector<Distribution>>> ReadDistributions(const std::string& key) {
  std::optional<RegistryKey> registered = MXC_TRY(ReadRegistryKey(Hive::kUser, key));
  if (!registered) return std::optional<std::vector<Distribution>>();
  const std::string standard = registered->Text("DefaultDistribution");
  std::vector<Distribution> all;
  for (const std::string& id : registered->subkeys) {
    const std::optional<RegistryKey> one = MXC_TRY(ReadRegistryKey(Hive::kUser, key + "\\" + id));
    if (!one || one->Text("DistributionName").empty()) continue;  // other things of WSL's
    Distribution distribution{id, one->Text("DistributionName")};
    distribution.wsl = one->Find("Version") == nullptr ? 1 : one->Number("Version");
    distribution.installed = one->Find("State") == nullptr || one->Number("State") == kInstalled;
    distribution.is_default = SameIgnoringAsciiCase(id, standard);
    all.push_back(std::move(distribution));
  }
  std::sort(all.begin(), all.end(), [](const Distribution& a, const Distribution& b) { return a.name < b.name; });
  return std::optional<std::vector<Distribution>>(std::move(all));
}

Result<Distribution> ChooseDistribution(const std::vector<Distribution>& all, const std::string& name) {
  if (all.empty()) {
    return Error(Code::kNotFound, "WSL has no distribution for this user")
        .WithHint("install one, `wsl --install Debian`, and mxc in it (docs/windows.md)");
  }
  const auto found = std::find_if(all.begin(), all.end(), [&](const Distribution& one) {
    return name.empty() ? one.is_default : SameIgnoringAsciiCase(one.name, name);
  });
  if (found == all.end()) {
    return Error(Code::kNotFound, name.empty() ? std::string("no distribution of WSL is the default one")
                                               : "WSL has no distribution called \"" + EscapeText(name) + "\"")
        .WithHint("there are: " + Names(all) +
                  (name.empty() ? "; --distribution takes one, `wsl --set-default` sets it" : ""));
  }
  if (!found->installed) {
    return Error(Code::kRefused, "the distribution \"" + EscapeText(found->name) + "\" is being installed or removed")
        .WithHint("wait until WSL is done with it; `wsl --list --verbose` shows it");
  }
  if (found->wsl != 2) {
    return Error(Code::kUnsupported, "the distribution \"" + EscapeText(found->name) +
                                         "\" is of WSL 1, which has no Linux kernel that could hold a sandbox")
        .WithHint("wsl --set-version " + EscapeText(found->name) + " 2");
  }
  return *found;
}

}  // namespace mxc::windows
