// Profiles: named defaults for a policy, written in YAML (policies/, /etc/mxc/profiles.d). A profile says what a kind of
// work needs (a base system to read, limits, a seccomp list) and which secrets stay shut even when a policy opens the
// folder around them. The format is described in docs/profiles.md.
//
// Lists that several profiles share are written once, as parts (`part: secrets`), and named by `include`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/effective.h"
#include "shared/policy/path_pattern.h"
#include "shared/policy/policy.h"

namespace mxc::policy {

// The five lists of a profile's filesystem section.
struct ProfilePaths {
  std::vector<PathPattern> baseline, readonly, readwrite, denied, protect;
};

struct Profile {
  std::string name;
  std::string summary;                            // one line
  std::string description;                        // what it is for and what it gives up
  ProfilePaths paths;                             // its own and those of its parts
  std::vector<Sourced<std::string>> env;          // KEY=VALUE
  std::vector<Sourced<std::string>> env_pass;     // names
  std::vector<Sourced<std::string>> env_threads;  // names that get the number of processors of the cpu limit

  std::vector<Sourced<DomainPattern>> domains;  // names that may be connected to
  std::vector<Sourced<std::string>>
      hosts_of;  // "pip", "npm", "cargo", "apt": and the hosts that its configuration names

  // After ProfileSet::Add all are set, from the default profile where the profile says nothing.
  Resources resources;
  Origin resources_origin;
  std::optional<Sourced<uint32_t>> timeout_ms;
  std::optional<Sourced<std::string>> seccomp;
  std::optional<Sourced<bool>> landlock_required;
  std::optional<Sourced<bool>> nesting;
  std::optional<Sourced<bool>> time_namespace;
  std::optional<Sourced<bool>> sysfs;
  std::optional<Sourced<std::string>> hostname;
  std::optional<Sourced<OnExposed>> on_exposed;
  std::optional<Sourced<OnMissing>> on_missing;

  std::vector<TextPool> pools;  // own the text of `paths`, where it isn't a constant of the program
};

// What a file holds: a profile, or a part (then only name, paths and the environment are used).
struct ProfileDocument {
  bool is_part = false;
  Profile profile;
  std::vector<Sourced<std::string>> include;
};

// Strict, as policies are read. `source` names the text in errors.
Result<ProfileDocument> ReadProfile(std::string_view text, const std::string& source);

// Sets what is set in `from` and not in `into`. Used for defaults of resources.
void FillResources(Resources& into, const Resources& from);

class ProfileSet {
 public:
  // Reads texts (file name, content), parts before profiles whatever their order, and adds them. A name that is taken
  // is an error, so that an added file never changes what an existing name means.
  Result<void> Add(std::span<const std::pair<std::string, std::string>> texts);

  // Adds a profile that is complete already, as generated code has it.
  void AddComplete(Profile profile);
  void AddPart(Profile part);

  const Profile* Find(std::string_view name) const;
  // A part that has domains: what x-linux.domains.groups names. Error: kNotFound with the names there are.
  Result<const Profile*> FindDomains(std::string_view name) const;
  std::span<const Profile> profiles() const { return profiles_; }  // sorted by name
  std::span<const Profile> parts() const { return parts_; }

  // "no profile is named X" with the names there are.
  Error NotFound(std::string_view name) const;

 private:
  Result<Profile> Complete(ProfileDocument document) const;

  std::vector<Profile> profiles_;
  std::vector<Profile> parts_;
};

// Name of the profile that a policy without one gets, and that completes all others.
inline constexpr char kDefaultProfile[] = "default";

}  // namespace mxc::policy
