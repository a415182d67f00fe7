#include <algorithm>

#include "shared/policy/limits.h"
#include "shared/policy/profile.h"

namespace mxc::policy {
namespace {

template <class T>
void Fill(std::optional<T>& into, const std::optional<T>& from) {
  if (!into) into = from;
}

template <class T>
void Append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Parts first, so that a profile's own variables come later and win.
void Include(Profile& profile, const Profile& part) {
  Append(profile.paths.baseline, part.paths.baseline);
  Append(profile.paths.readonly, part.paths.readonly);
  Append(profile.paths.readwrite, part.paths.readwrite);
  Append(profile.paths.denied, part.paths.denied);
  Append(profile.paths.protect, part.paths.protect);
  profile.env.insert(profile.env.begin(), part.env.begin(), part.env.end());
  Append(profile.env_pass, part.env_pass);
  Append(profile.env_threads, part.env_threads);
  Append(profile.domains, part.domains);
  Append(profile.hosts_of, part.hosts_of);
  Append(profile.pools, part.pools);
}

void FillScalars(Profile& profile, const Profile& from) {
  const bool says_resources = !profile.resources_origin.pointer.empty();
  FillResources(profile.resources, from.resources);
  if (!says_resources) profile.resources_origin = from.resources_origin;
  Fill(profile.timeout_ms, from.timeout_ms);
  Fill(profile.seccomp, from.seccomp);
  Fill(profile.landlock_required, from.landlock_required);
  Fill(profile.nesting, from.nesting);
  Fill(profile.time_namespace, from.time_namespace);
  Fill(profile.sysfs, from.sysfs);
  Fill(profile.hostname, from.hostname);
  Fill(profile.on_exposed, from.on_exposed);
  Fill(profile.on_missing, from.on_missing);
}

// Every sandbox has limits: what must not be absent once a profile is complete.
Result<void> CheckComplete(const Profile& profile) {
  const Resources& r = profile.resources;
  const bool limits = r.memory_bytes && r.pids && r.tmp_bytes && r.shm_bytes && r.tmpfs_inodes && r.open_files &&
                      r.memlock_bytes && r.stack_bytes && r.core_bytes;
  const bool scalars = profile.timeout_ms && profile.seccomp && profile.landlock_required && profile.nesting &&
                       profile.time_namespace && profile.sysfs && profile.hostname && profile.on_exposed &&
                       profile.on_missing;
  if (limits && scalars) return {};
  return Error(Code::kInvalid,
               "the profile \"" + profile.name + "\" leaves limits or options unset and no default profile gives them")
      .WithHint("the default profile sets all of them, but swap, cpus and fileSize");
}

const Profile* FindIn(std::span<const Profile> profiles, std::string_view name) {
  const auto at = std::find_if(profiles.begin(), profiles.end(), [&](const Profile& p) { return p.name == name; });
  return at == profiles.end() ? nullptr : &*at;
}

void SortedInsert(std::vector<Profile>& profiles, Profile profile) {
  const auto at = std::upper_bound(profiles.begin(), profiles.end(), profile.name,
                                   [](const std::string& name, const Profile& p) { return name < p.name; });
  profiles.insert(at, std::move(profile));
}

}  // namespace

void FillResources(Resources& into, const Resources& from) {
  for (const Limit& limit : kLimits) Fill(into.*limit.value, from.*limit.value);
  Fill(into.cpus, from.cpus);
}

void ProfileSet::AddComplete(Profile profile) { SortedInsert(profiles_, std::move(profile)); }
void ProfileSet::AddPart(Profile part) { SortedInsert(parts_, std::move(part)); }

const Profile* ProfileSet::Find(std::string_view name) const { return FindIn(profiles_, name); }

Result<const Profile*> ProfileSet::FindDomains(std::string_view name) const {
  std::string names;
  for (const Profile& part : parts_) {
    if (part.domains.empty() && part.hosts_of.empty()) continue;
    if (part.name == name) return &part;
    names += (names.empty() ? "" : ", ") + part.name;
  }
  return Error(Code::kNotFound, "no group of domains is named \"" + std::string(name) + "\"")
      .WithHint("there are: " + names);
}

Error ProfileSet::NotFound(std::string_view name) const {
  std::string names;
  for (const Profile& profile : profiles_) names += (names.empty() ? "" : ", ") + profile.name;
  return Error(Code::kNotFound, "no profile is named \"" + std::string(name) + "\"").WithHint("there are: " + names);
}

Result<Profile> ProfileSet::Complete(ProfileDocument document) const {
  Profile profile = std::move(document.profile);
  for (const auto& name : document.include) {
    const Profile* part = FindIn(parts_, *name);
    if (part == nullptr)
      return Error(Code::kNotFound,
                   "the profile \"" + profile.name + "\" includes \"" + *name + "\", and no part has that name");
    Include(profile, *part);
  }
  if (const Profile* defaults = Find(kDefaultProfile)) FillScalars(profile, *defaults);
  MXC_TRY(CheckComplete(profile));
  return profile;
}

Result<void> ProfileSet::Add(std::span<const std::pair<std::string, std::string>> texts) {
  std::vector<std::pair<std::string, ProfileDocument>> documents;
  for (const auto& [source, text] : texts) documents.emplace_back(source, MXC_TRY(ReadProfile(text, source)));
  // Parts, then the default profile, then those that build on both.
  const auto rank = [](const ProfileDocument& d) { return d.is_part ? 0 : d.profile.name == kDefaultProfile ? 1 : 2; };
  std::stable_sort(documents.begin(), documents.end(),
                   [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  for (auto& [source, document] : documents) {
    const std::string name = document.profile.name;
    if ((document.is_part ? FindIn(parts_, name) : Find(name)) != nullptr) {
      return Error(Code::kInvalid,
                   "the name \"" + name + "\" is taken by another " + (document.is_part ? "part" : "profile"))
          .WithPosition({source, 1, 1, document.is_part ? "/part" : "/profile"})
          .WithHint("choose a name of its own");
    }
    if (document.is_part) {
      AddPart(std::move(document.profile));
    } else {
      Profile complete = MXC_TRY_AS("read " + source, Complete(std::move(document)));
      AddComplete(std::move(complete));
    }
  }
  return {};
}

}  // namespace mxc::policy
