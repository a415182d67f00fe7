#include "linux_runtime/sandbox/mount_plan.h"

#include <algorithm>

#include "linux_runtime/sandbox/mount_options.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

namespace {

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// What the mount gets; the plan around it (Landlock's rules) goes by the options themselves.
uint64_t AttributesToSet(const ParsedOptions& options) {
  uint64_t attributes = options.set | options.top_set;
  if (Without("readonly")) attributes &= ~static_cast<uint64_t>(MOUNT_ATTR_RDONLY);
  if (Without("nosuid")) attributes &= ~static_cast<uint64_t>(MOUNT_ATTR_NOSUID);
  if (Without("nodev")) attributes &= ~static_cast<uint64_t>(MOUNT_ATTR_NODEV);
  if (Without("noexec")) attributes &= ~static_cast<uint64_t>(MOUNT_ATTR_NOEXEC);
  return attributes;
}

std::string MountField(size_t index, const char* field) { return "/mounts/" + std::to_string(index) + "/" + field; }

constexpr const char* kKernelFolders[] = {"/proc", "/sys", "/dev"};

// The policy's own check sees names; a link may lead here.
Result<void> CheckKernelFolders(const HostObject& object) {
  if (!object.through_link) return {};
  const bool kernel = std::any_of(std::begin(kKernelFolders), std::end(kKernelFolders),
                                  [&](const char* folder) { return IsBelow(folder, object.canonical); });
  if (object.canonical != "/" && !kernel) return {};
  return Error(Code::kRefused, "it is a link to " + object.canonical + ", which can't be granted");
}

static_assert(kInertAttributes == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr std::pair<const char*, const char*> kDeviceLinks[] = {{"fd", "/proc/self/fd"},
                                                                {"stdin", "/proc/self/fd/0"},
                                                                {"stdout", "/proc/self/fd/1"},
                                                                {"stderr", "/proc/self/fd/2"}};

}  // namespace

Step& MountPlanner::Add(Op op, const std::string& path) {
  Step& step = plan_.steps.emplace_back();
  step.op = op;
  step.path = plan_.Intern(path);
  return step;
}

Result<void> MountPlanner::Build() {
  MXC_TRY(AddRoot());
  MXC_TRY(AddFiles());
  for (size_t index = 0; index < spec_.mounts.size(); ++index) {
    MXC_TRY_AS("mount " + spec_.mounts[index].destination, AddMount(spec_.mounts[index], index));
  }
  MXC_TRY(CheckLinkedGrants());
  const size_t rules = plan_.steps.size();
  MXC_TRY(AddDenied());
  MXC_TRY(AddProtected());
  MXC_TRY(SettleReadonlyAliases());
  PinFolders(rules);
  AddMasks();
  NotePaths();
  return {};
}

bool MountPlanner::BelowWritable(const std::string& path) const {
  return std::any_of(shown_.begin(), shown_.end(), [&](const Shown& shown) {
    return shown.writable && !shown.device && shown.path != path && shown.path != "/dev" && IsBelow(shown.path, path);
  });
}

void MountPlanner::NotePaths() {
  auto note = [this](const std::string& path, const char* access, bool landlock) {
    plan_.shown.push_back({path, access, landlock});
  };
  for (const Shown& shown : shown_) {
    if (shown.granted) note(shown.path, shown.writable ? "rw" : "ro", shown.writable || !BelowWritable(shown.path));
  }
  for (const Step& step : plan_.steps) {
    if (step.op == Op::kCover) note(step.path, "deny", false);
    if (step.op == Op::kReadonly && step.verify) note(step.path, "ro", false);
  }
  for (const std::string& passage : passages_) note(passage, "deny", false);
}

Result<void> MountPlanner::AddRoot() {
  if (extension_.empty_root) {
    Step& step = Add(Op::kNewRoot, "/");
    step.options = plan_.InternOptions({"size", "16m", "nr_inodes", "8192", "mode", "0755"});
    step.flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    shown_.push_back({"/", Kind::kOurTmpfs, false, true, false, "", false});
    return {};
  }
  if (!spec_.root)
    return Error(Code::kInvalid, "/root: missing").WithHint("name the folder that becomes / in root.path");
  HostObject object = MXC_TRY_AS("/root/path", OpenHostObject(spec_.root->path));
  if (!object.directory()) return Error(Code::kInvalid, "/root/path: " + spec_.root->path + " is not a folder");
  Step& step = Add(Op::kBindRoot, "/");
  step.text = plan_.Intern(object.canonical);
  step.directory = step.recursive = step.verify = true;
  step.device = object.device;
  step.inode = object.inode;
  step.flags = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (spec_.root->readonly ? MOUNT_ATTR_RDONLY : 0);
  shown_.push_back({"/", Kind::kHost, !spec_.root->readonly, true, false, object.canonical});
  return {};
}

Result<void> MountPlanner::AddFiles() {
  if (extension_.files.empty()) return {};
  if (!extension_.empty_root) {
    return Error(Code::kInvalid, "/annotations/dev.mxc.files: needs dev.mxc.root = \"empty\"");
  }
  for (const auto& [path, content] : extension_.files) {
    MakeFolders("/", ParentOf(path));
    Step& step = Add(Op::kFile, path);
    step.text = plan_.Intern(content);
    step.size = content.size();
    step.mode = 0644;
    made_.insert(path);
  }
  return {};
}

void MountPlanner::MakeFolders(const std::string& top, const std::string& path) {
  if (path == top || path == "/" || made_.contains(path)) return;
  MakeFolders(top, ParentOf(path));
  made_.insert(path);
  Add(Op::kDirectory, path).mode = 0755;
}

std::string MountPlanner::ThroughLinks(std::string path) const {
  // Two rounds serve a link to a link; longer chains aren't followed, and then fail when the child opens the path.
  for (int round = 0; round < 2; ++round) {
    for (const auto& [link, target] : links_) {
      if (!IsBelow(link, path)) continue;
      std::string absolute = target.starts_with('/') ? target : JoinPath(ParentOf(link), "/" + target);
      path = JoinPath(absolute, RestBelow(link, path));
    }
  }
  return path;
}

const MountPlanner::Shown* MountPlanner::Locate(const std::string& path) const {
  const Shown* best = nullptr;
  for (const Shown& shown : shown_) {
    if (IsBelow(shown.path, path) && (best == nullptr || shown.path.size() >= best->path.size())) best = &shown;
  }
  return best;
}

Result<void> MountPlanner::MakeMountPoint(const std::string& path, bool directory, const std::string& what) {
  const Shown* holder = Locate(ParentOf(path));
  if (holder == nullptr) return Error(Code::kInternal, "no root below " + path);
  if (holder->kind == Kind::kOurTmpfs) {
    MakeFolders(holder->path, ParentOf(path));
    if (made_.contains(path)) return {};
    made_.insert(path);
    if (directory) {
      Add(Op::kDirectory, path).mode = 0755;
    } else {
      Add(Op::kFile, path).mode = 0644;
    }
    return {};
  }
  if (holder->kind == Kind::kKernel) return {};
  std::string host = JoinPath(holder->source, RestBelow(holder->path, path));
  struct stat found;
  if (::stat(host.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode) == directory) return {};
    return Error(Code::kInvalid, what + ": " + host + (directory ? " is not a folder" : " is a folder"));
  }
  return Error(Code::kNotFound, what + ": there is no " + path + " to mount on inside " + holder->path)
      .WithHint("create " + host + " first: mxc makes nothing in a folder of yours");
}

Result<void> MountPlanner::AddMount(const oci::Mount& mount, size_t index) {
  // Bind options hold for submounts too wherever our own translator wrote them; plain OCI keeps its finer words.
  ParsedOptions options = MXC_TRY_AS(MountField(index, "options"), ParseMountOptions(mount, extension_.any()));
  if (!options.bundle_only.empty()) {
    return Error(Code::kUnsupported,
                 MountField(index, "options") + ": \"" + options.bundle_only + "\" is for plain bundles only");
  }
  MXC_TRY(AddPassages(mount.destination));
  if (options.bind) return AddBind(mount, index, options);

  std::string path = ThroughLinks(mount.destination);
  MXC_TRY(MakeMountPoint(path, true, MountField(index, "destination")));
  struct {
    const char* type;
    Op op;
    Kind kind;
  } static constexpr kTypes[] = {{"tmpfs", Op::kTmpfs, Kind::kOurTmpfs},
                                 {"proc", Op::kProc, Kind::kKernel},
                                 {"devpts", Op::kDevpts, Kind::kKernel},
                                 {"mqueue", Op::kMqueue, Kind::kKernel}};
  for (const auto& type : kTypes) {
    if (mount.type != type.type) continue;
    Step& step = Add(type.op, path);
    step.flags = AttributesToSet(options);
    std::vector<const char*> data;
    for (const auto& [key, value] : options.data) {
      data.push_back(plan_.Intern(key));
      data.push_back(plan_.Intern(value));
    }
    if (!data.empty()) step.options = plan_.InternOptions(std::move(data));
    shown_.push_back({path, type.kind, !options.readonly(), true, false, "", false});
    if (path == "/dev" && type.op == Op::kTmpfs) MXC_TRY(AddDevices());
    return {};
  }
  return Error(Code::kUnsupported,
               MountField(index, "type") + ": file system \"" + mount.type + "\" can't be mounted in a sandbox")
      .WithHint("known: bind, tmpfs, proc, devpts, mqueue");
}

Result<void> MountPlanner::AddBind(const oci::Mount& mount, size_t index, const ParsedOptions& options) {
  bool if_present = Contains(extension_.if_present, mount.destination);
  Result<HostObject> opened = OpenNamed(mount.source, nullptr);
  if (!opened.ok()) {
    if (if_present && (opened.error().code() == Code::kNotFound || opened.error().system_errno() == EACCES)) return {};
    Error error = std::move(opened).error();
    if (error.code() == Code::kNotFound) {
      return std::move(error).WithHint("create it, take it out of the policy, or list it under x-linux.ifPresent");
    }
    return std::move(error).WithContext(MountField(index, "source"));
  }
  HostObject object = std::move(opened).value();

  if (if_present && !object.link_target.empty()) {
    // A link of the base system (/bin → usr/bin) stays a link when what it leads to is shown.
    std::string target = object.link_target.starts_with('/')
                             ? object.link_target
                             : JoinPath(ParentOf(mount.destination), "/" + object.link_target);
    bool shown = std::any_of(spec_.mounts.begin(), spec_.mounts.end(), [&](const oci::Mount& other) {
      return &other != &mount && IsBelow(other.destination, target);
    });
    const Shown* holder = Locate(ParentOf(mount.destination));
    if (shown && holder != nullptr && holder->kind == Kind::kOurTmpfs && target.find("/../") == std::string::npos) {
      MakeFolders(holder->path, ParentOf(mount.destination));
      made_.insert(mount.destination);
      Add(Op::kSymlink, mount.destination).text = plan_.Intern(object.link_target);
      links_.emplace_back(mount.destination, object.link_target);
      return {};
    }
  }

  const bool caller_owned = Contains(extension_.caller_owned, mount.destination);
  if (caller_owned) MXC_TRY(CheckKernelFolders(object));
  std::string path = ThroughLinks(mount.destination);
  // The path of a grant leads over a link inside another shown tree: it is the same object there, by its real name.
  if (path == mount.source && object.through_link) {
    const Shown* holder = Locate(ParentOf(path));
    if (holder != nullptr && holder->kind == Kind::kHost) path = object.canonical;
  }
  MXC_TRY(MakeMountPoint(path, object.directory(), MountField(index, "destination")));
  Step step;
  step.op = Op::kBind;
  step.path = plan_.Intern(path);
  step.text = plan_.Intern(object.canonical);
  step.directory = object.directory();
  step.recursive = options.recursive;
  step.flags = AttributesToSet(options);
  step.clear = options.clear | options.top_clear;
  step.verify = true;
  step.device = object.device;
  step.inode = object.inode;
  if (prepare_) {
    unsigned recursive = step.recursive ? AT_RECURSIVE : 0;
    int clone = sys::OpenTree(object.fd.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | recursive);
    if (clone < 0) return sys::SystemError("clone the mount at " + object.canonical, -clone);
    step.fd = plan_.Own(sys::UniqueFd(clone));
    sys::MountAttr attr{step.flags, step.clear, MS_PRIVATE, 0};
    if (int error = sys::MountSetattr(clone, "", AT_EMPTY_PATH | recursive, attr); error < 0) {
      return sys::SystemError("set the options of the mount at " + object.canonical, -error);
    }
    if (caller_owned) plan_.prepared.push_back({path, clone});
  }
  plan_.steps.push_back(step);
  bool device = S_ISCHR(object.mode) || S_ISBLK(object.mode);
  shown_.push_back(
      {path, Kind::kHost, !options.readonly(), object.directory(), device, object.canonical, caller_owned});
  const bool straight = !object.through_link && mount.destination == mount.source;
  if (options.readonly() && caller_owned && !straight) linked_readonly_.push_back(mount.destination);
  if (object.through_link && caller_owned) {
    linked_grants_.push_back({mount.destination, object.canonical, !options.readonly()});
    plan_.notes.push_back(mount.destination + " leads over a link to " + object.canonical + ", which is granted");
  }
  if (options.readonly()) readonly_objects_.emplace_back(path, std::move(object));
  return {};
}

Result<void> MountPlanner::AddDevices() {
  for (const char* name : kDevices) MXC_TRY(AddDevice(name));
  for (auto [name, target] : kDeviceLinks) {
    Add(Op::kSymlink, std::string("/dev/") + name).text = target;
  }
  Add(Op::kSymlink, "/dev/ptmx").text = "pts/ptmx";
  return {};
}

Result<void> MountPlanner::AddDevice(const std::string& name) {
  std::string path = "/dev/" + name;
  HostObject object = MXC_TRY_AS("give the container a device", OpenHostObject(path));
  if (!S_ISCHR(object.mode)) return Error(Code::kRefused, path + " on this host is not a character device");
  Add(Op::kFile, path).mode = 0666;
  Step step;
  step.op = Op::kBind;
  step.path = plan_.Intern(path);
  step.text = step.path;
  step.flags = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  step.verify = true;
  step.device = object.device;
  step.inode = object.inode;
  if (prepare_) {
    int clone = sys::OpenTree(object.fd.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    if (clone < 0) return sys::SystemError("clone the mount at " + path, -clone);
    step.fd = plan_.Own(sys::UniqueFd(clone));
    sys::MountAttr attr{step.flags, 0, MS_PRIVATE, 0};
    if (int error = sys::MountSetattr(clone, "", AT_EMPTY_PATH, attr); error < 0) {
      return sys::SystemError("set the options of the mount at " + path, -error);
    }
  }
  plan_.steps.push_back(step);
  made_.insert(path);
  shown_.push_back({path, Kind::kHost, true, false, true, path});
  return {};
}

void MountPlanner::AddMasks() {
  for (const std::string& path : spec_.linux.masked_paths) Add(Op::kMask, path).optional = true;
  for (const std::string& path : spec_.linux.readonly_paths) Add(Op::kReadonly, path).optional = true;
}

std::vector<LandlockPath> MountPlanner::LandlockPaths() const {
  std::vector<LandlockPath> paths;
  // A sandbox's own /etc holds nothing but what is shown there, some thirty names: one rule says the same of all.
  static const std::string kConfiguration = "/etc";
  const Shown* holder = Locate(kConfiguration);
  const bool passage = std::any_of(passages_.begin(), passages_.end(),
                                   [](const std::string& path) { return IsBelow(kConfiguration, path); });
  const bool configuration =
      holder != nullptr && holder->kind == Kind::kOurTmpfs && !passage && made_.contains(kConfiguration);
  if (configuration) paths.push_back({kConfiguration, LandlockAccess::kReadOnly, true});
  for (const Shown& shown : shown_) {
    bool sealed =
        shown.kind == Kind::kHost && shown.writable &&
        std::any_of(sealed_.begin(), sealed_.end(), [&](const auto& folder) { return Locate(folder.first) == &shown; });
    if (sealed) {
      AddSealedTree(shown, paths);
      continue;
    }
    if (configuration && shown.kind == Kind::kHost && !shown.writable && IsBelow(kConfiguration, shown.path)) continue;
    LandlockAccess access = LandlockAccess::kReadOnly;
    if (shown.path == "/" && shown.kind == Kind::kOurTmpfs) {
      access = LandlockAccess::kListOnly;
    } else if (shown.device || shown.path == "/dev/pts") {
      access = LandlockAccess::kDevice;
    } else if (shown.writable && shown.path != "/dev") {
      access = LandlockAccess::kReadWrite;
    }
    paths.push_back({shown.path, access, true});
  }
  for (const auto& [path, content] : extension_.files) {
    if (!configuration || !IsBelow(kConfiguration, path)) paths.push_back({path, LandlockAccess::kReadOnly, true});
  }
  return paths;
}

}  // namespace mxc::sandbox
