// Denied and protected paths, and read-only grants that another, wider grant would show writable: each rule is about an
// object, so it is applied at every name of that object which the container shows.
#include <algorithm>
#include <filesystem>

#include "linux_runtime/sandbox/hard_links.h"
#include "linux_runtime/sandbox/mount_plan.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

Result<const std::vector<HostMount>*> MountPlanner::Mounts() {
  if (!mounts_read_) {
    mounts_ = MXC_TRY(ReadHostMounts());
    mounts_read_ = true;
  }
  return &mounts_;
}

Result<std::vector<std::string>> MountPlanner::HostNames(const HostObject& object) {
  const std::vector<HostMount>* mounts = MXC_TRY(Mounts());
  std::vector<std::string> names = OtherMountNames(object, *mounts);
  names.insert(names.begin(), object.canonical);
  return names;
}

Result<const std::vector<std::string>*> MountPlanner::FolderNames(const HostLookup::Folder& folder) {
  auto known = folder_names_.find(folder.canonical);
  if (known == folder_names_.end()) {
    HostObject object = MXC_TRY(lookup_.Open(folder.path));
    known = folder_names_.emplace(folder.canonical, MXC_TRY(HostNames(object))).first;
  }
  return &known->second;
}

std::vector<MountPlanner::ContainerName> MountPlanner::ContainerNames(const std::string& host_name) const {
  std::vector<ContainerName> names;
  for (const Shown& shown : shown_) {
    if (shown.kind != Kind::kHost || !IsBelow(shown.source, host_name)) continue;
    std::string path = JoinPath(shown.path, RestBelow(shown.source, host_name));
    if (Locate(path) == &shown) names.push_back({std::move(path), host_name, &shown});
  }
  return names;
}

Result<void> MountPlanner::AddPassages(const std::string& destination) {
  for (const oci::DeniedPath& rule : extension_.denied) {
    if (rule.path == destination || !IsBelow(rule.path, destination) || held_.contains(rule.path)) continue;
    const Shown* holder = Locate(rule.path);
    held_.insert(rule.path);
    // Below our own tmpfs the folder is made anyway and holds nothing else; it need only not be listed.
    if (holder != nullptr && holder->kind != Kind::kOurTmpfs) {
      MXC_TRY(MakeMountPoint(rule.path, true, "deny " + rule.path));
    } else {
      MakeFolders(holder == nullptr ? "/" : holder->path, rule.path);
    }
    Step& step = Add(Op::kTmpfs, rule.path);
    step.options = plan_.InternOptions({"size", "64k", "nr_inodes", "64", "mode", "0111"});
    step.flags = kInertAttributes;
    shown_.push_back({rule.path, Kind::kOurTmpfs, false, true, false, ""});
    passages_.push_back(rule.path);
  }
  return {};
}

Result<void> MountPlanner::AddDenied() {
  for (const std::string& path : passages_) Add(Op::kSealMount, path);
  std::vector<HeldObject> objects;
  for (const oci::DeniedPath& rule : extension_.denied) {
    // A passage too: the folder it stands for may be shown by another name.
    MXC_TRY_AS("deny " + rule.path, Open(rule, false, objects));
  }
  MXC_TRY(FindLinks(objects));
  for (const HeldObject& held : objects) MXC_TRY_AS("deny " + held.rule->path, HoldObject(held, false));
  return {};
}

Result<void> MountPlanner::AddProtected() {
  std::vector<HeldObject> objects;
  for (const oci::DeniedPath& rule : extension_.protect) MXC_TRY_AS("protect " + rule.path, Open(rule, true, objects));
  for (const HeldObject& held : objects) MXC_TRY_AS("protect " + held.rule->path, HoldObject(held, true));
  // Nobody gets there, and the guard couldn't watch it either.
  std::erase_if(plan_.guarded, [&](const GuardedPath& guarded) { return BelowCover(guarded.path); });
  return {};
}

Result<void> MountPlanner::Open(const oci::DeniedPath& rule, bool protect, std::vector<HeldObject>& objects) {
  Result<HostObject> object = lookup_.Open(rule.path);
  if (object.ok()) {
    objects.push_back({&rule, std::move(object).value(), {}});
    return {};
  }
  if (object.error().code() == Code::kNotFound) return HoldMissing(rule, protect, objects);
  if (object.error().system_errno() == EACCES) return HoldUnreachable(rule, objects);
  return std::move(object).error();
}

Result<void> MountPlanner::HoldUnreachable(const oci::DeniedPath& rule, std::vector<HeldObject>& objects) {
  // The folder that the caller may not enter may be the caller's own, who inside can give back the right: it is held.
  for (std::string above = ParentOf(rule.path); above != "/"; above = ParentOf(above)) {
    Result<HostObject> folder = OpenNamed(above);
    if (folder.ok()) return HoldInstead(rule, above, std::move(folder).value(), objects);
    if (folder.error().system_errno() != EACCES) return std::move(folder).error();
  }
  return {};
}

Result<void> MountPlanner::HoldInstead(const oci::DeniedPath& rule, const std::string& path, HostObject object,
                                       std::vector<HeldObject>& objects) {
  oci::DeniedPath& instead = stand_ins_.emplace_back(rule);
  instead.path = path;
  objects.push_back({&instead, std::move(object), {}});
  return {};
}

Result<void> MountPlanner::FindLinks(std::vector<HeldObject>& objects) {
  std::vector<LinkedFile> files;
  std::vector<HeldObject*> owners;
  for (HeldObject& held : objects) {
    if (!held.object.regular() || held.object.links < 2) continue;
    files.push_back({held.object.canonical, held.object.device, held.object.inode, held.object.links});
    owners.push_back(&held);
  }
  if (files.empty()) return {};
  LinkSearch search;
  for (const Shown& shown : shown_) {
    if (shown.kind == Kind::kHost && !shown.device && shown.granted) search.trees.push_back(shown.source);
  }
  if (search.trees.empty()) return {};
  for (FoundLink& link : MXC_TRY(FindOtherLinks(files, search))) {
    owners[link.file]->other_links.push_back(std::move(link.path));
  }
  return {};
}

bool MountPlanner::BelowCover(const std::string& path) const {
  return std::any_of(plan_.steps.begin(), plan_.steps.end(), [&](const Step& step) {
    return step.op == Op::kCover && path != step.path && IsBelow(step.path, path);
  });
}

Result<void> MountPlanner::HoldMissing(const oci::DeniedPath& rule, bool protect, std::vector<HeldObject>& objects) {
  // The part that exists decides where the name could appear.
  const HostLookup::Folder folder = MXC_TRY(lookup_.NearestAbove(rule.path));
  // Nothing can appear below a file, but in its place: a .git that names another folder, removed and made anew.
  if (!folder.directory) {
    const std::vector<ContainerName> names = ContainerNames(folder.canonical);
    const bool replaceable = std::any_of(names.begin(), names.end(), [](const ContainerName& name) {
      return name.shown->writable && name.path != name.shown->path;  // a granted file is a mount, which stays
    });
    if (!protect || !replaceable) return {};
    return HoldInstead(rule, folder.path, MXC_TRY(lookup_.Open(folder.path)), objects);
  }
  const std::vector<std::string>& host_names = *MXC_TRY(FolderNames(folder));
  std::vector<std::pair<std::string, ContainerName>> shown_names;
  for (const std::string& host_name : host_names) {
    for (ContainerName& name : ContainerNames(host_name)) shown_names.emplace_back(host_name, std::move(name));
  }
  for (const auto& [host_name, name] : shown_names) {
    if (extension_.on_missing == oci::OnMissing::kRefuse && name.shown->writable) {
      return Error(Code::kRefused, rule.path + " doesn't exist yet and could be created inside (" + rule.rule + ")")
          .WithHint("create it before the run, or set x-linux.on_missing to \"watch\"");
    }
    if (extension_.on_missing == oci::OnMissing::kSeal && name.shown->writable) {
      sealed_.emplace(name.path, host_name);
    }
    GuardedPath guarded;
    guarded.path = JoinPath(name.path, RestBelow(folder.path, rule.path));
    guarded.host_parent = host_name;
    guarded.name = RestBelow(folder.path, rule.path).substr(1);
    guarded.rule = rule.rule;
    guarded.protect = protect;
    plan_.guarded.push_back(std::move(guarded));
  }
  return {};
}

Result<void> MountPlanner::RefuseGrantsBelow(const oci::DeniedPath& rule, const std::string& host_name) const {
  auto exception = [&](const Shown& shown) { return shown.kind == Kind::kHost && IsBelow(rule.path, shown.path); };
  for (const Shown& shown : shown_) {
    if (shown.kind != Kind::kHost || exception(shown)) continue;
    if (shown.source == host_name || !IsBelow(host_name, shown.source)) continue;
    // Granted by its own name too, which is more specific than the denial.
    bool granted = std::any_of(shown_.begin(), shown_.end(), [&](const Shown& other) {
      return exception(other) && IsBelow(other.source, shown.source);
    });
    if (granted) continue;
    return Error(Code::kRefused, "the grant of " + shown.path + " leads to " + shown.source + ", inside of " +
                                     rule.path + ", which is denied (" + rule.rule + ")")
        .WithHint(
            "take out the one or the other; what is meant to be open inside a denied folder is granted by its name "
            "there");
  }
  return {};
}

Result<void> MountPlanner::HoldObject(const HeldObject& held, bool protect) {
  const oci::DeniedPath& rule = *held.rule;
  std::vector<std::string> host_names = MXC_TRY(HostNames(held.object));
  host_names.insert(host_names.end(), held.other_links.begin(), held.other_links.end());
  for (const std::string& name : host_names) MXC_TRY(HoldNames(rule, held.object, name, protect));
  for (const std::string& place : PartsMountedElsewhere(held.object, *MXC_TRY(Mounts()))) {
    // A mount point that can't be reached, or is mounted over, shows nobody anything.
    Result<HostObject> part = OpenHostObject(place);
    if (part.ok()) MXC_TRY(HoldNames(rule, *part, place, protect));
  }
  return {};
}

Result<void> MountPlanner::HoldNames(const oci::DeniedPath& rule, const HostObject& object,
                                     const std::string& host_name, bool protect) {
  if (!protect) MXC_TRY(RefuseGrantsBelow(rule, host_name));
  for (const ContainerName& name : ContainerNames(host_name)) {
    if (!held_.insert(name.path).second) continue;
    if (protect && !name.shown->writable) continue;
    if (BelowCover(name.path)) continue;
    Step& step = Add(protect ? Op::kReadonly : Op::kCover, name.path);
    step.directory = object.directory();
    step.verify = true;
    step.device = object.device;
    step.inode = object.inode;
    GuardedPath guarded;
    guarded.path = name.path;
    guarded.host_parent = ParentOf(host_name);
    guarded.name = NameOf(host_name);
    guarded.rule = rule.rule;
    guarded.protect = protect;
    guarded.exists = true;
    guarded.directory = object.directory();
    guarded.alias = name.path != rule.path;
    if (guarded.alias) {
      plan_.notes.push_back(name.path + " is another name of " + rule.path + ": " +
                            (protect ? "protected too" : "denied too"));
    }
    plan_.guarded.push_back(std::move(guarded));
  }
  return {};
}

Result<void> MountPlanner::SettleReadonlyAliases() {
  bool writable = std::any_of(shown_.begin(), shown_.end(), [](const Shown& shown) {
    return shown.kind == Kind::kHost && shown.writable && !shown.device;
  });
  if (!writable) return {};
  for (const auto& [destination, object] : readonly_objects_) {
    for (const std::string& name : MXC_TRY(HostNames(object))) SettleReadonlyAlias(destination, object, name);
    for (const std::string& place : PartsMountedElsewhere(object, *MXC_TRY(Mounts()))) {
      Result<HostObject> part = OpenHostObject(place);
      if (part.ok()) SettleReadonlyAlias(destination, *part, place);
    }
  }
  return {};
}

void MountPlanner::SettleReadonlyAlias(const std::string& destination, const HostObject& object,
                                       const std::string& host_name) {
  for (const ContainerName& name : ContainerNames(host_name)) {
    if (!name.shown->writable || name.path == destination || !held_.insert(name.path).second) continue;
    Step& step = Add(Op::kReadonly, name.path);
    step.directory = object.directory();
    step.verify = true;
    step.device = object.device;
    step.inode = object.inode;
    readonly_aliases_.push_back(name.path);
    plan_.notes.push_back(name.path + " is another name of " + destination + ": read-only too");
  }
}

Result<void> MountPlanner::CheckSeals() const {
  for (const auto& [path, host] : sealed_) {
    const Shown* shown = Locate(path);
    if (!BelowWritable(shown->path)) continue;
    return Error(Code::kUnsupported, "x-linux.on_missing \"seal\" can't hold in " + path +
                                         ": it lies below a folder that is writable as a whole")
        .WithHint("grant a folder outside of /tmp and of other writable grants, or set on_missing to \"refuse\"");
  }
  return {};
}

void MountPlanner::AddSealedTree(const Shown& shown, std::vector<LandlockPath>& paths) const {
  paths.push_back({shown.path, LandlockAccess::kWriteOnly, true});
  std::set<std::string> on_the_way;  // host paths of folders in which nothing may be created
  for (const auto& [path, host] : sealed_) {
    if (!IsBelow(shown.source, host)) continue;
    for (std::string folder = host;; folder = ParentOf(folder)) {
      on_the_way.insert(folder);
      if (folder == shown.source) break;
    }
  }
  for (const std::string& folder : on_the_way) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code ignored;
      if (!entry->is_directory(ignored) || entry->is_symlink(ignored)) continue;
      std::string child = entry->path().string();
      if (on_the_way.contains(child)) continue;
      paths.push_back({JoinPath(shown.path, RestBelow(shown.source, child)), LandlockAccess::kReadWrite, true});
    }
  }
}

}  // namespace mxc::sandbox
