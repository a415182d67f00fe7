// The YAML of profiles and parts, through the same strict reader as policies.
#include "shared/policy/decoder.h"
#include "shared/policy/path_tree.h"
#include "shared/policy/profile.h"
#include "shared/policy/resource_reader.h"

namespace mxc::policy {
namespace {

Origin OriginOf(const Node& node) {
  const Position where = node.Where();
  return Origin{Layer::kProfile, {}, where.pointer, where.line};  // the name is filled in once it is known
}

template <class T>
Result<void> StoreSourced(std::optional<Sourced<T>>& to, const Node& node, Result<T> value) {
  if (!value.ok()) return std::move(value).error();
  to = Sourced<T>{std::move(value).value(), OriginOf(node)};
  return {};
}

// The five lists, and where their text goes.
struct PathsReader {
  ProfilePaths& paths;
  TextPool& pool;
};

struct PathEntry {
  std::string path;
  bool if_present = false;
};
constexpr Field<PathEntry> kPathEntryFields[] = {
    {"path", [](const Node& node, PathEntry& entry) { return Store(entry.path, node.NonEmptyString()); }, kRequired},
    {"ifPresent", [](const Node& node, PathEntry& entry) { return Store(entry.if_present, node.Bool()); }},
};

Result<void> ReadPaths(const Node& node, TextPool& pool, std::vector<PathPattern>& paths) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    PathEntry entry;
    if (item.value().kind == Kind::kObject) {
      MXC_TRY(ReadObject(item, kPathEntryFields, entry));
    } else {
      MXC_TRY(Store(entry.path, item.NonEmptyString()));
    }
    auto pattern = ParsePathPattern(entry.path, pool);
    if (!pattern.ok()) return std::move(pattern).error().WithPosition(item.Where());
    pattern->if_present = entry.if_present;
    pattern->line = item.value().line;
    pattern->pointer = pool.Keep(item.Pointer());
    paths.push_back(*pattern);
    return {};
  });
}

// ${granted} stands for what is granted, so no grant can be made from it.
Result<void> ReadGrants(const Node& node, TextPool& pool, std::vector<PathPattern>& paths) {
  MXC_TRY(ReadPaths(node, pool, paths));
  for (size_t i = 0; i < paths.size(); ++i) {
    if (paths[i].root == PathRoot::kGranted) {
      return Node(node, i).Invalid("${granted} can't be granted").WithHint("it may stand under denied and protect");
    }
  }
  return {};
}

constexpr Field<PathsReader> kFilesystemFields[] = {
    {"baseline", [](const Node& node, PathsReader& to) { return ReadGrants(node, to.pool, to.paths.baseline); }},
    {"readonly", [](const Node& node, PathsReader& to) { return ReadGrants(node, to.pool, to.paths.readonly); }},
    {"readwrite", [](const Node& node, PathsReader& to) { return ReadGrants(node, to.pool, to.paths.readwrite); }},
    {"denied", [](const Node& node, PathsReader& to) { return ReadPaths(node, to.pool, to.paths.denied); }},
    {"protect", [](const Node& node, PathsReader& to) { return ReadPaths(node, to.pool, to.paths.protect); }},
};

Result<void> ReadFilesystem(const Node& node, ProfileDocument& document) {
  PathsReader reader{document.profile.paths, document.profile.pools.emplace_back()};
  return ReadObject(node, kFilesystemFields, reader);
}

Result<void> CheckVariableName(const Node& node, std::string_view name) {
  if (name.empty() || name.find('=') != std::string_view::npos)
    return node.Invalid("a variable's name is empty or holds =");
  return {};
}

Result<void> ReadVariables(const Node& node, std::vector<Sourced<std::string>>& env) {
  if (node.value().kind != Kind::kObject) return node.Expected("an object");
  for (const Member& member : node.value().members) {
    const Node child(node, member);
    MXC_TRY(CheckVariableName(child, member.name));
    env.push_back({member.name + "=" + MXC_TRY(child.String()), OriginOf(child)});
  }
  return {};
}

Result<void> ReadNames(const Node& node, std::vector<Sourced<std::string>>& names) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    std::string name = MXC_TRY(item.NonEmptyString());
    MXC_TRY(CheckVariableName(item, name));
    names.push_back({std::move(name), OriginOf(item)});
    return {};
  });
}

Result<void> ReadDomains(const Node& node, ProfileDocument& document) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    Result<DomainPattern> pattern = ParseDomainPattern(MXC_TRY(item.NonEmptyString()));
    if (!pattern.ok()) return std::move(pattern).error().WithPosition(item.Where());
    document.profile.domains.push_back({*std::move(pattern), OriginOf(item)});
    return {};
  });
}

constexpr Choice<const char*> kTools[] = {{"pip", "pip"}, {"npm", "npm"}, {"cargo", "cargo"}, {"apt", "apt"}};

Result<void> ReadHostsOf(const Node& node, ProfileDocument& document) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    document.profile.hosts_of.push_back({std::string(MXC_TRY(item.Enum(kTools))), OriginOf(item)});
    return {};
  });
}

constexpr Field<Profile> kEnvironmentFields[] = {
    {"set", [](const Node& node, Profile& profile) { return ReadVariables(node, profile.env); }},
    {"threads", [](const Node& node, Profile& profile) { return ReadNames(node, profile.env_threads); }},
    {"pass", [](const Node& node, Profile& profile) { return ReadNames(node, profile.env_pass); }},
};

constexpr Choice<OnExposed> kOnExposed[] = {{"cover", OnExposed::kCover}, {"kill", OnExposed::kKill}};
constexpr Choice<OnMissing> kOnMissing[] = {
    {"watch", OnMissing::kWatch}, {"refuse", OnMissing::kRefuse}, {"seal", OnMissing::kSeal}};

Result<std::string> ReadSummary(const Node& node) {
  std::string line = MXC_TRY(node.NonEmptyString());
  if (line.find('\n') != std::string::npos || line.size() > 100)
    return node.Invalid("the summary is one line of at most 100 bytes");
  return line;
}

Result<std::string> ReadName(const Node& node) {
  std::string name = MXC_TRY(node.NonEmptyString());
  const bool plain = name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (!plain || name.size() > 64) return node.Invalid("a profile's name is made of a-z, 0-9 and -, at most 64 of them");
  return name;
}

constexpr Field<ProfileDocument> kPartFields[] = {
    {"part", [](const Node& node, ProfileDocument& d) { return Store(d.profile.name, ReadName(node)); }, kRequired},
    {"summary", [](const Node& node, ProfileDocument& d) { return Store(d.profile.summary, ReadSummary(node)); },
     kRequired},
    {"filesystem", ReadFilesystem},
    {"domains", ReadDomains},
    {"hostsOf", ReadHostsOf},
    {"environment",
     [](const Node& node, ProfileDocument& d) { return ReadObject(node, kEnvironmentFields, d.profile); }},
};

constexpr Field<ProfileDocument> kProfileFields[] = {
    {"profile", [](const Node& node, ProfileDocument& d) { return Store(d.profile.name, ReadName(node)); }, kRequired},
    {"summary", [](const Node& node, ProfileDocument& d) { return Store(d.profile.summary, ReadSummary(node)); },
     kRequired},
    {"description",
     [](const Node& node, ProfileDocument& d) { return Store(d.profile.description, node.NonEmptyString()); },
     kRequired},
    {"include", [](const Node& node, ProfileDocument& d) { return ReadNames(node, d.include); }},
    {"filesystem", ReadFilesystem},
    {"domains", ReadDomains},
    {"hostsOf", ReadHostsOf},
    {"environment",
     [](const Node& node, ProfileDocument& d) { return ReadObject(node, kEnvironmentFields, d.profile); }},
    {"resources",
     [](const Node& node, ProfileDocument& d) {
       d.profile.resources_origin = OriginOf(node);
       return ReadResources(node, d.profile.resources);
     }},
    {"timeout", [](const Node& node,
                   ProfileDocument& d) { return StoreSourced(d.profile.timeout_ms, node, ReadTimeoutMs(node)); }},
    {"seccomp",
     [](const Node& node, ProfileDocument& d) { return StoreSourced(d.profile.seccomp, node, ReadName(node)); }},
    {"landlockRequired",
     [](const Node& node, ProfileDocument& d) { return StoreSourced(d.profile.landlock_required, node, node.Bool()); }},
    {"nesting",
     [](const Node& node, ProfileDocument& d) { return StoreSourced(d.profile.nesting, node, node.Bool()); }},
    {"timeNamespace",
     [](const Node& node, ProfileDocument& d) { return StoreSourced(d.profile.time_namespace, node, node.Bool()); }},
    {"sysfs", [](const Node& node, ProfileDocument& d) { return StoreSourced(d.profile.sysfs, node, node.Bool()); }},
    {"hostname",
     [](const Node& node, ProfileDocument& d) { return StoreSourced(d.profile.hostname, node, ReadName(node)); }},
    {"on_exposed", [](const Node& node,
                      ProfileDocument& d) { return StoreSourced(d.profile.on_exposed, node, node.Enum(kOnExposed)); }},
    {"on_missing", [](const Node& node,
                      ProfileDocument& d) { return StoreSourced(d.profile.on_missing, node, node.Enum(kOnMissing)); }},
};

// Origins learn the name of the file they stand in: the profile's or part's.
void NameOrigins(Profile& profile) {
  if (!profile.pools.empty()) {
    const std::string_view file = profile.pools[0].Keep(profile.name);
    for (auto* list : {&profile.paths.baseline, &profile.paths.readonly, &profile.paths.readwrite,
                       &profile.paths.denied, &profile.paths.protect}) {
      for (PathPattern& path : *list) path.file = file;
    }
  }
  for (auto* list : {&profile.env, &profile.env_pass, &profile.env_threads, &profile.hosts_of}) {
    for (auto& entry : *list) entry.origin.name = profile.name;
  }
  for (auto& entry : profile.domains) entry.origin.name = profile.name;
  profile.resources_origin.layer = Layer::kProfile;
  profile.resources_origin.name = profile.name;
  const auto name = [&](auto& scalar) {
    if (scalar) scalar->origin.name = profile.name;
  };
  name(profile.timeout_ms), name(profile.seccomp), name(profile.landlock_required), name(profile.nesting);
  name(profile.time_namespace), name(profile.sysfs), name(profile.hostname), name(profile.on_exposed),
      name(profile.on_missing);
}

}  // namespace

Result<ProfileDocument> ReadProfile(std::string_view text, const std::string& source) {
  const Value root = MXC_TRY(ParseDocument(text, source));
  const Node node(root, source);
  ProfileDocument document;
  document.is_part = root.Find("part") != nullptr;
  if (document.is_part) {
    MXC_TRY(ReadObject(node, kPartFields, document));
  } else {
    MXC_TRY(ReadObject(node, kProfileFields, document));
  }
  NameOrigins(document.profile);
  return document;
}

}  // namespace mxc::policy
