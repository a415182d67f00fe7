// The file format of the managed floor.
#include <algorithm>

#include "shared/policy/decoder.h"
#include "shared/policy/floor.h"
#include "shared/policy/resource_reader.h"

namespace mxc::policy {
namespace {

Origin FloorOrigin(const Node& node) { return Origin{Layer::kFloor, node.source(), node.Pointer(), node.value().line}; }

template <class T>
Result<void> StoreSourced(std::optional<Sourced<T>>& to, const Node& node, Result<T> value) {
  if (!value.ok()) return std::move(value).error();
  to = Sourced<T>{std::move(value).value(), FloorOrigin(node)};
  return {};
}

Result<void> ReadPatterns(const Node& node, Floor& floor, std::vector<PathPattern>& into) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    auto pattern = ParsePathPattern(MXC_TRY(item.NonEmptyString()), floor.pool);
    if (!pattern.ok()) return std::move(pattern).error().WithPosition(item.Where());
    // A floor holds for every run, so nothing in it may hang on what a run grants or where it stands.
    if (pattern->root == PathRoot::kGranted || pattern->root == PathRoot::kCwd) {
      return item.Invalid("${cwd} and ${granted} can't stand in a floor").WithHint("use an absolute path or ~");
    }
    pattern->line = item.value().line;
    pattern->file = floor.file;
    pattern->pointer = floor.pool.Keep(item.Pointer());
    into.push_back(*pattern);
    return {};
  });
}

struct Names {
  std::optional<std::vector<std::string>> allow;
};
constexpr Field<Names> kAllowFields[] = {
    {"allow", [](const Node& node, Names& names) { return Store(names.allow, node.Strings()); }, kRequired},
};
Result<void> ReadAllowed(const Node& node, std::optional<std::vector<std::string>>& into) {
  Names names;
  MXC_TRY(ReadObject(node, kAllowFields, names));
  into = std::move(names.allow);
  return {};
}

Result<void> ReadDrives(const Node& node, std::vector<Sourced<DrivePath>>& into) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    auto place = ParseWindowsPath(MXC_TRY(item.NonEmptyString()), {});
    if (!place.ok()) return std::move(place).error().WithPosition(item.Where());
    if (!std::holds_alternative<DrivePath>(*place)) return item.Expected("a path of a drive, such as C:\\work");
    into.push_back({std::get<DrivePath>(*std::move(place)), FloorOrigin(item)});
    return {};
  });
}
constexpr Field<Floor> kDrivesFields[] = {
    {"only", [](const Node& node, Floor& floor) { return ReadDrives(node, floor.drives_only.emplace()); }},
    {"denied",
     [](const Node& node, Floor& floor) -> Result<void> {
       MXC_TRY(ReadDrives(node, floor.drives_denied));
       // The case of others is folded by a table of the volume's own, so they could be spelled in a way that isn't known here.
       for (const Sourced<DrivePath>& denied : floor.drives_denied) {
         for (const std::string& name : denied->components) {
           if (std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
             continue;
           return node.Invalid("\"" + name + "\" can't be denied: only names in ASCII can")
               .WithHint("deny a folder above it");
         }
       }
       return {};
     }},
};

constexpr Field<Floor> kFilesystemFields[] = {
    {"denied", [](const Node& node, Floor& floor) { return ReadPatterns(node, floor, floor.denied); }},
    {"readonly", [](const Node& node, Floor& floor) { return ReadPatterns(node, floor, floor.readonly); }},
    {"drives", [](const Node& node, Floor& floor) { return ReadObject(node, kDrivesFields, floor); }},
};
constexpr Field<Floor> kEnvironmentFields[] = {
    {"deny", [](const Node& node, Floor& floor) { return Store(floor.env_deny, node.Strings()); }, kRequired},
};

constexpr Choice<Forbidden> kForbidden[] = {{"nesting", Forbidden::kNesting},
                                            {"gpu", Forbidden::kGpu},
                                            {"host-root", Forbidden::kHostRoot},
                                            {"rootfs", Forbidden::kRootfs},
                                            {"egress", Forbidden::kEgress},
                                            {"ingress", Forbidden::kIngress},
                                            {"host-loopback", Forbidden::kHostLoopback}};
Result<void> ReadForbidden(const Node& node, Floor& floor) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    floor.forbid.push_back({MXC_TRY(item.Enum(kForbidden)), FloorOrigin(item)});
    return {};
  });
}

constexpr Choice<OnExposed> kOnExposed[] = {{"cover", OnExposed::kCover}, {"kill", OnExposed::kKill}};
constexpr Choice<OnMissing> kOnMissing[] = {
    {"watch", OnMissing::kWatch}, {"seal", OnMissing::kSeal}, {"refuse", OnMissing::kRefuse}};
constexpr Field<Floor> kMinimumFields[] = {
    {"landlock",
     [](const Node& node, Floor& floor) { return StoreSourced(floor.landlock_required, node, node.Bool()); }},
    {"on_exposed",
     [](const Node& node, Floor& floor) { return StoreSourced(floor.on_exposed, node, node.Enum(kOnExposed)); }},
    {"on_missing",
     [](const Node& node, Floor& floor) { return StoreSourced(floor.on_missing, node, node.Enum(kOnMissing)); }},
};

Result<void> CheckVersion(const Node& node, Floor&) {
  if (MXC_TRY(node.U32()) != 1)
    return node.Fail(Code::kUnsupported, "this version of mxc reads floors of version 1 only");
  return {};
}

constexpr Field<Floor> kFloorFields[] = {
    {"floor", CheckVersion, kRequired},
    {"filesystem", [](const Node& node, Floor& floor) { return ReadObject(node, kFilesystemFields, floor); }},
    {"profiles", [](const Node& node, Floor& floor) { return ReadAllowed(node, floor.profiles); }},
    {"seccomp", [](const Node& node, Floor& floor) { return ReadAllowed(node, floor.seccomp); }},
    {"environment", [](const Node& node, Floor& floor) { return ReadObject(node, kEnvironmentFields, floor); }},
    {"forbid", ReadForbidden},
    {"maximum",
     [](const Node& node, Floor& floor) {
       floor.maximum_origin = FloorOrigin(node);
       return ReadResources(node, floor.maximum);
     }},
    {"timeout",
     [](const Node& node, Floor& floor) { return StoreSourced(floor.timeout_ms, node, ReadTimeoutMs(node)); }},
    {"minimum", [](const Node& node, Floor& floor) { return ReadObject(node, kMinimumFields, floor); }},
};

}  // namespace

Result<Floor> ReadFloor(std::string_view text, const std::string& file) {
  Floor floor;
  floor.file = file;
  const Value root = MXC_TRY_AS("read the managed floor", ParseDocument(text, file));
  const Node node(root, floor.file);
  if (auto read = ReadObject(node, kFloorFields, floor); !read.ok()) {
    return std::move(read).error().WithContext("read the managed floor");
  }
  const std::string_view kept = floor.pool.Keep(file);  // stays where it is when the floor is moved
  for (auto* list : {&floor.denied, &floor.readonly}) {
    for (PathPattern& pattern : *list) pattern.file = kept;
  }
  return floor;
}

Result<std::vector<Floor>> ReadFloors(std::vector<std::pair<std::string, std::string>> texts) {
  std::sort(texts.begin(), texts.end());
  std::vector<Floor> floors;
  for (const auto& [file, text] : texts) floors.push_back(MXC_TRY(ReadFloor(text, file)));
  return floors;
}

}  // namespace mxc::policy
