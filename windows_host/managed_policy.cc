#include "windows_host/managed_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "nlohmann/json.hpp"
#include "shared/base/escape_text.h"
#include "shared/base/version.h"
#include "shared/client/remote.h"
#include "shared/policy/digest.h"
#include "shared/policy/floor.h"
#include "shared/policy/windows_path.h"
#include "windows_host/distributions.h"
#include "windows_host/handle.h"
#include "windows_host/registry.h"

namespace mxc::windows {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostFile = 1 << 20;

// A value, or a key whose values are a list, as it is known.
struct Known {
  std::string_view name;
  enum class Type : uint8_t { kFlag, kText, kList } type;
};
constexpr Known kKnown[] = {
    {"SchemaVersion", Known::Type::kFlag},        {"Enabled", Known::Type::kFlag},
    {"RequireHvSocket", Known::Type::kFlag},      {"RequireLandlock", Known::Type::kFlag},
    {"AuditLevel", Known::Type::kFlag},           {"AllowElevated", Known::Type::kFlag},
    {"AllowDetached", Known::Type::kFlag},        {"AllowEgress", Known::Type::kFlag},
    {"AllowIngress", Known::Type::kFlag},         {"AllowHostLoopback", Known::Type::kFlag},
    {"AllowNesting", Known::Type::kFlag},         {"MinimumVersion", Known::Type::kText},
    {"PolicyFile", Known::Type::kText},           {"PolicySha256", Known::Type::kText},
    {"AllowedDistributions", Known::Type::kList}, {"DeniedDistributions", Known::Type::kList},
    {"AllowedWindowsPaths", Known::Type::kList},  {"DeniedWindowsPaths", Known::Type::kList},
    {"AllowedProfiles", Known::Type::kList},
};

const Known* FindKnown(std::string_view name, bool list) {
  const auto* found = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& known) {
    return (known.type == Known::Type::kList) == list && SameIgnoringAsciiCase(known.name, name);
  });
  return found == std::end(kKnown) ? nullptr : found;
}

std::optional<std::array<unsigned, 3>> ParseVersion(std::string_view text) {
  std::array<unsigned, 3> version{};
  for (size_t part = 0; part < version.size(); ++part) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version[part]);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (part + 1 == version.size()) break;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
  if (!text.empty()) return std::nullopt;
  return version;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Result<ManagedPolicy> Read() {
    std::optional<RegistryKey> key = MXC_TRY(ReadRegistryKey(Hive::kMachine, path_));
    if (!key) return ManagedPolicy();
    key_ = *std::move(key);
    MXC_TRY(CheckNames());
    ManagedPolicy managed;
    if (MXC_TRY(Flag("SchemaVersion", 1)) != 1) return Invalid("SchemaVersion", "is not 1, the only one that there is");
    managed.enabled = MXC_TRY(Flag("Enabled", 1)) == 1;
    managed.hvsocket_required = MXC_TRY(Flag("RequireHvSocket", 0)) == 1;
    managed.audit_required = MXC_TRY(Flag("AuditLevel", 0)) == 1;
    managed.elevated_allowed = MXC_TRY(Flag("AllowElevated", 1)) == 1;
    managed.detached_allowed = MXC_TRY(Flag("AllowDetached", 1)) == 1;
    MXC_TRY(CheckVersion());
    managed.allowed_distributions = MXC_TRY(List("AllowedDistributions"));
    managed.denied_distributions = MXC_TRY(List("DeniedDistributions")).value_or(std::vector<std::string>());
    managed.floors.emplace_back("HKLM\\" + path_, MXC_TRY(FloorOfValues()));
    MXC_TRY(AddFile(managed));
    // What mxcd is to hold is looked at here already, so that nothing starts under a policy that isn't one.
    MXC_TRY(policy::ReadFloors(managed.floors));
    for (const auto& [name, text] : managed.floors) said_ += text + "\n";
    managed.digest = policy::Sha256(said_);
    return managed;
  }

 private:
  std::string Name(std::string_view value) const { return ("HKLM\\" + path_ + "\\").append(value); }
  Error Invalid(std::string_view value, const std::string& what) const {
    return Error(Code::kInvalid, "the machine's policy: " + EscapeText(Name(value)) + " " + what)
        .WithHint("nothing runs under a policy that isn't understood: an administrator has to set it right");
  }

  Result<void> CheckNames() const {
    for (const RegistryValue& value : key_.values) {
      // A key's unnamed value, which editors leave behind, says nothing.
      if (value.name.empty() && value.data == decltype(value.data)(std::string())) continue;
      if (FindKnown(value.name, false) == nullptr) return Invalid(value.name, "is no value that this mxc.exe knows");
    }
    for (const std::string& name : key_.subkeys) {
      if (FindKnown(name, true) == nullptr) return Invalid(name, "is no list that this mxc.exe knows");
    }
    return {};
  }

  Result<uint32_t> Flag(std::string_view name, uint32_t otherwise) {
    const RegistryValue* value = key_.Find(name);
    if (value == nullptr) return otherwise;
    const auto* number = std::get_if<uint32_t>(&value->data);
    if (number == nullptr || *number > 1) return Invalid(name, "has to be a REG_DWORD of 0 or 1");
    said_.append(name).append("=").append(std::to_string(*number)) += '\n';
    return *number;
  }

  Result<std::string> Text(std::string_view name) {
    const RegistryValue* value = key_.Find(name);
    if (value == nullptr) return std::string();
    const auto* text = std::get_if<std::string>(&value->data);
    if (text == nullptr || text->empty()) return Invalid(name, "has to be a REG_SZ with something in it");
    said_.append(name).append("=").append(*text) += '\n';
    return *text;
  }

  // Nothing: there is no such list.
  Result<std::optional<std::vector<std::string>>> List(std::string_view name) {
    std::optional<RegistryKey> key = MXC_TRY(ReadRegistryKey(Hive::kMachine, path_ + "\\" + std::string(name)));
    if (!key) return std::optional<std::vector<std::string>>();
    if (!key->subkeys.empty())
      return Invalid(std::string(name) + "\\" + key->subkeys[0], "is a key in a list of values");
    std::vector<std::string> items;
    for (const RegistryValue& value : key->values) {
      const auto* text = std::get_if<std::string>(&value.data);
      const bool nothing = text != nullptr && text->empty();
      if (nothing && value.name.empty()) continue;
      if (text == nullptr || nothing)
        return Invalid(std::string(name) + "\\" + value.name, "has to be a REG_SZ with something in it");
      items.push_back(*text);
    }
    // Nothing at all, or no list? Whoever wrote it has to say.
    if (items.empty()) return Invalid(name, "is a list without entries");
    std::sort(items.begin(), items.end());
    for (const std::string& item : items) said_.append(name).append("+").append(item) += '\n';
    return std::optional<std::vector<std::string>>(std::move(items));
  }

  Result<std::optional<std::vector<std::string>>> Paths(std::string_view name) {
    std::optional<std::vector<std::string>> paths = MXC_TRY(List(name));
    if (!paths) return paths;
    for (const std::string& path : *paths) {
      Result<policy::WindowsPlace> place = policy::ParseWindowsPath(path, {});
      if (!place.ok()) return Invalid(name, "holds " + EscapeText(path) + ": " + place.error().message());
    }
    return paths;
  }

  Result<void> CheckVersion() {
    const std::string wanted = MXC_TRY(Text("MinimumVersion"));
    if (wanted.empty()) return {};
    const auto least = ParseVersion(wanted), own = ParseVersion(kVersion);
    if (!least || !own) return Invalid("MinimumVersion", "has to be of the form 1.2.3");
    if (*own >= *least) return {};
    return Error(Code::kUnsupported, std::string("this is mxc.exe ") + kVersion + ", and the machine's policy wants " +
                                         wanted + " at least (" + Name("MinimumVersion") + ")")
        .WithHint("install a newer one");
  }

  Result<std::string> FloorOfValues() {
    Json floor{{"floor", 1}};
    if (auto only = MXC_TRY(Paths("AllowedWindowsPaths"))) floor["filesystem"]["drives"]["only"] = *only;
    if (auto denied = MXC_TRY(Paths("DeniedWindowsPaths"))) floor["filesystem"]["drives"]["denied"] = *denied;
    if (auto profiles = MXC_TRY(List("AllowedProfiles"))) floor["profiles"]["allow"] = *profiles;
    constexpr struct {
      std::string_view value, option;
    } kForbidden[] = {{"AllowEgress", "egress"},
                      {"AllowIngress", "ingress"},
                      {"AllowHostLoopback", "host-loopback"},
                      {"AllowNesting", "nesting"}};
    for (const auto& [value, option] : kForbidden) {
      if (MXC_TRY(Flag(value, 1)) == 0) floor["forbid"].push_back(option);
    }
    if (MXC_TRY(Flag("RequireLandlock", 0)) == 1) floor["minimum"]["landlock"] = true;
    return floor.dump();
  }

  // Its digest stands where only an administrator writes, so it doesn't matter who could write the file.
  Result<void> AddFile(ManagedPolicy& managed) {
    const std::string file = MXC_TRY(Text("PolicyFile")), digest = MXC_TRY(Text("PolicySha256"));
    if (file.empty() != digest.empty())
      return Invalid(file.empty() ? "PolicyFile" : "PolicySha256",
                     "is missing: PolicyFile and PolicySha256 go together");
    if (file.empty()) return {};
    Result<std::string> text = ReadWholeFile(file, kMostFile);
    if (!text.ok()) return std::move(text).error().WithContext("the machine's policy: " + Name("PolicyFile"));
    const std::string found = policy::Sha256(*text);
    if (!SameIgnoringAsciiCase(found, "sha256:" + digest))
      return Invalid("PolicySha256", "is not the digest of " + EscapeText(file) + ", which is " + found.substr(7));
    managed.floors.emplace_back(file, *std::move(text));
    return {};
  }

  const std::string& path_;
  RegistryKey key_;
  std::string said_;  // in an order of its own, for the digest
};

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return SameIgnoringAsciiCase(one, name); });
}

Error Refused(const std::string& what, std::string_view value) {
  return Error(Code::kRefused, (what + " by the machine's policy (HKLM\\" + kManagedKey + "\\").append(value) + ")");
}

}  // namespace

Result<ManagedPolicy> ReadManagedPolicy(const std::string& path) { return Reader(path).Read(); }

Result<void> CheckCommand(const ManagedPolicy& managed, const client::Options& options, bool elevated) {
  if (!managed.enabled) return Refused("mxc.exe is switched off", "Enabled");
  if (!client::IsRemote(options) && options.command != client::Command::kHold) return {};
  if (elevated && !managed.elevated_allowed) {
    return Refused("running with an administrator's rights is forbidden", "AllowElevated")
        .WithHint("start mxc.exe from a console that isn't elevated");
  }
  const bool detached = options.command == client::Command::kProvision || options.command == client::Command::kStart ||
                        options.command == client::Command::kHold ||
                        (options.command == client::Command::kExec && options.detach);
  if (detached && !managed.detached_allowed)
    return Refused("what goes on without its mxc.exe is forbidden", "AllowDetached").WithHint("use `mxc.exe run`");
  return {};
}

Result<void> CheckDistribution(const ManagedPolicy& managed, const std::string& name) {
  if (Contains(managed.denied_distributions, name))
    return Refused("the distribution \"" + EscapeText(name) + "\" is forbidden", "DeniedDistributions");
  if (managed.allowed_distributions && !Contains(*managed.allowed_distributions, name)) {
    std::string allowed;
    for (const std::string& one : *managed.allowed_distributions)
      allowed += (allowed.empty() ? "" : ", ") + EscapeText(one);
    return Refused("the distribution \"" + EscapeText(name) + "\" is not allowed", "AllowedDistributions")
        .WithHint("--distribution takes one of these: " + allowed);
  }
  return {};
}

Result<std::string> DistributionFor(const std::string& wanted, const ManagedPolicy& managed) {
  const auto registered = MXC_TRY_AS("look for WSL's distributions", ReadDistributions());
  if (!managed.names_distributions()) {
    if (registered) MXC_TRY(ChooseDistribution(*registered, wanted));
    return wanted;
  }
  const Distribution chosen = MXC_TRY(ChooseDistribution(registered.value_or(std::vector<Distribution>()), wanted));
  MXC_TRY(CheckDistribution(managed, chosen.name));
  return chosen.name;
}

}  // namespace mxc::windows
