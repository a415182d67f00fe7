// The root and the mounts of a plain OCI bundle, as its spec lists them (runtime-spec config.md "Root" and "Mounts",
// config-linux.md). Nothing here looks at what the image holds: that is found, and made, when the plan is applied.
#include <linux/magic.h>

#include <algorithm>
#include <filesystem>

#include "linux_runtime/cgroup/mounts.h"
#include "linux_runtime/sandbox/mount_attributes.h"
#include "linux_runtime/sandbox/mount_options.h"
#include "linux_runtime/sandbox/mount_plan.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr size_t kLongestValue = 255;  // of fsconfig(2)

std::string MountField(size_t index, const char* field) { return "/mounts/" + std::to_string(index) + "/" + field; }

// "/a//b/../c/" → "/a/c".
std::string Clean(const std::string& path) {
  std::string clean = std::filesystem::path("/" + path).lexically_normal().string();
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  return clean;
}

// What runc lets be covered below /proc: files that lxcfs and the like replace, and two that tell of the host's kernel.
constexpr const char* kCoverableProc[] = {"/proc/cpuinfo",
                                          "/proc/diskstats",
                                          "/proc/meminfo",
                                          "/proc/stat",
                                          "/proc/swaps",
                                          "/proc/uptime",
                                          "/proc/loadavg",
                                          "/proc/slabinfo",
                                          "/proc/sys/kernel/ns_last_pid",
                                          "/proc/sys/crypto/fips_enabled"};

bool IsProc(int fd) {
  struct statfs found;
  return sys::Fstatfs(fd, &found) == 0 && found.f_type == PROC_SUPER_MAGIC;
}

// MOUNT_ATTR_* as mount(2) has them.
uint32_t LegacyFlags(uint64_t attributes) {
  uint32_t flags = attributes & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if ((attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME) flags |= MS_NOATIME;
  if ((attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME) flags |= MS_STRICTATIME;
  if ((attributes & MOUNT_ATTR_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((attributes & MOUNT_ATTR_NOSYMFOLLOW) != 0) flags |= MS_NOSYMFOLLOW;
  return flags | MS_SILENT;
}

uint64_t Kept(uint64_t attributes) {
  if (Without("readonly")) attributes &= ~static_cast<uint64_t>(MOUNT_ATTR_RDONLY);
  return attributes;
}

}  // namespace

std::string MountPlanner::HostPath(const std::string& path) const {
  return path.starts_with('/') || context_.bundle_path.empty() ? path : context_.bundle_path + "/" + path;
}

std::string MountPlanner::HostName(const std::string& path) const {
  if (!context_.bundle) return path;
  const Shown* holder = Locate(path);
  return holder == nullptr || holder->kind != Kind::kHost ? ""
                                                          : JoinPath(holder->source, RestBelow(holder->path, path));
}

Result<HostObject> MountPlanner::OpenNamed(const std::string& path, bool* through_link) const {
  if (const auto named = extension_.windows.find(path); named != extension_.windows.end()) {
    if (!context_.open_windows)
      return Error(Code::kUnsupported, named->second + ": no drives of Windows are known here");
    return HostObjectOf(MXC_TRY(context_.open_windows(named->second)));
  }
  if (!context_.bundle) return OpenHostObject(path, through_link);
  if (through_link != nullptr) *through_link = true;  // for all that is known
  constexpr int kMostLinks = 40;                      // as the kernel
  std::string at = "/", rest = path, host = HostName("/");
  for (int followed = 0; followed <= kMostLinks;) {
    const size_t begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) break;
    const size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string part = rest.substr(begin, end - begin);
    rest.erase(0, end);
    if (part == ".") continue;
    std::string next = part == ".." ? ParentOf(at) : JoinPath(at, "/" + part);
    host = HostName(next);
    if (host.empty()) {
      return Error(Code::kUnsupported, next +
                                           " is of a file system made for the container: nothing of the image's or the "
                                           "host's lies there");
    }
    std::error_code error;
    const std::filesystem::path target = std::filesystem::read_symlink(host, error);
    if (error) {
      at = std::move(next);
      continue;
    }
    ++followed;
    if (target.is_absolute()) at = "/";
    rest.insert(0, target.string());
  }
  HostObject object = MXC_TRY(OpenHostLink(host));
  if (object.through_link || !object.link_target.empty()) {
    return Error(Code::kRefused, path + " changes in the image while it is looked up");
  }
  return object;
}

Result<void> MountPlanner::BuildBundle() {
  MXC_TRY(AddBundleRoot());
  for (size_t index = 0; index < spec_.mounts.size(); ++index) {
    MXC_TRY_AS("mount " + spec_.mounts[index].destination, AddBundleMount(spec_.mounts[index], index));
  }
  MXC_TRY(AddBundleDevices());
  if (extension_.denied.empty() && extension_.protect.empty()) return {};
  const size_t rules = plan_.steps.size();
  MXC_TRY(AddDenied());
  MXC_TRY(AddProtected());
  PinFolders(rules);
  NotePaths();
  return {};
}

void MountPlanner::FinishBundle() {
  AddMasks();
  for (const std::string& path : sealed_mounts_) Add(Op::kSealMount, path);
  if (spec_.root->readonly && !Without("readonly")) Add(Op::kSealMount, "/");
  const uint32_t propagation = Propagation(spec_.linux.rootfs_propagation);
  if ((propagation & (MS_SHARED | MS_UNBINDABLE)) != 0) Add(Op::kPropagation, "/").flags = propagation;
}

Result<void> MountPlanner::AddBundleRoot() {
  if (!spec_.root)
    return Error(Code::kInvalid, "/root: missing").WithHint("name the folder that becomes / in root.path");
  HostObject object = MXC_TRY_AS("/root/path", OpenHostObject(HostPath(spec_.root->path)));
  if (!object.directory()) return Error(Code::kInvalid, "/root/path: " + spec_.root->path + " is not a folder");
  Step step;
  step.op = Op::kBindRoot;
  step.path = "/";
  step.point = kPointInBundle;
  step.directory = step.recursive = true;
  // A shared root is a peer group of its own, made after pivot_root, which refuses shared ones (pivot_root(2)).
  step.propagation = Propagation(spec_.linux.rootfs_propagation) & (MS_SLAVE | MS_REC);
  MXC_TRY_AS("/root/path", PlanSource(step, object));
  plan_.steps.push_back(step);
  shown_.push_back({"/", Kind::kHost, !spec_.root->readonly, true, false, object.canonical});
  return {};
}

Result<void> MountPlanner::PlanSource(Step& step, const HostObject& object) {
  step.text = plan_.Intern(object.canonical);
  step.verify = true;
  step.device = object.device;
  step.inode = object.inode;
  if (!prepare_) return {};
  const unsigned below = step.recursive ? AT_RECURSIVE : 0;
  int clone = sys::OpenTree(object.fd.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | below);
  if (clone == -EPERM && step.op == Op::kBindRoot) {
    // CAP_SYS_ADMIN, but not over the mount namespace: the child makes the copies in its own.
    prepare_ = false;
    return {};
  }
  if (clone < 0) {
    Error failure = sys::SystemError("copy the mount at " + object.canonical, -clone);
    if (clone != -EINVAL || step.recursive) return failure;
    return std::move(failure).WithHint(
        "in a user namespace a folder can't be shown without what is mounted below it: use rbind");
  }
  step.fd = plan_.Own(sys::UniqueFd(clone));
  if (int error = SetAttributes(clone, step); error < 0) {
    Error failure = sys::SystemError("set the options of the mount at " + object.canonical, -error);
    if (error != -EPERM) return failure;
    return std::move(failure).WithHint(
        "the kernel locks what restricts a mount that came from another user namespace: leave "
        "rw, suid, dev, exec and the access-time options out, and it stays as it is");
  }
  return {};
}

Result<void> MountPlanner::AddBundleMount(const oci::Mount& mount, size_t index) {
  ParsedOptions options = MXC_TRY_AS(MountField(index, "options"), ParseMountOptions(mount, false));
  const std::string path = Clean(mount.destination);
  if (path == "/") return Error(Code::kUnsupported, MountField(index, "destination") + ": the root is root.path's");
  if (options.idmap && !options.bind) {
    return Error(Code::kUnsupported, MountField(index, "options") + ": only bind mounts can be idmapped");
  }
  if (options.copy_up && mount.type != "tmpfs") {
    return Error(Code::kUnsupported, MountField(index, "options") + ": \"tmpcopyup\" is for the type tmpfs");
  }
  if (options.remount) return AddRemount(path, index, options);
  if (options.bind) return AddBundleBind(mount, path, index, options);
  if (mount.type == "cgroup" || mount.type == "cgroup2") return AddCgroup(path, index, options);
  MXC_TRY(AddFilesystem(mount, path, index, options));
  if (mount.type != "sysfs" || OwnsNetwork()) return {};
  // The kernel gives a sysfs only to who owns the network namespace: else the host's is shown, as crun does it.
  HostObject host = MXC_TRY(OpenHostObject("/sys"));
  Step& step = plan_.steps.back();
  step.or_bind = step.recursive = true;
  return PlanSource(step, host);
}

Result<uint32_t> MountPlanner::PointFlags(const std::string& path, size_t index, bool is_proc) const {
  if (path == "/proc" && !is_proc && !Without("proc-guard")) {
    return Error(Code::kRefused,
                 MountField(index, "destination") + ": only a proc file system can be mounted on /proc");
  }
  if (path == "/proc") return kPointInBundle | kPointOnProc;
  if (!IsBelow("/proc", path) || Without("proc-guard")) return kPointInBundle;
  if (std::find(std::begin(kCoverableProc), std::end(kCoverableProc), path) == std::end(kCoverableProc)) {
    return Error(Code::kRefused, MountField(index, "destination") + ": " + path +
                                     " lies inside /proc, where a mount could " +
                                     "keep the runtime from setting up the container")
        .WithHint(
            "files such as /proc/cpuinfo and /proc/meminfo can be mounted over; others are hidden by "
            "linux.maskedPaths");
  }
  return kPointInBundle | kPointOnProc;
}

Result<void> MountPlanner::AddBundleBind(const oci::Mount& mount, const std::string& path, size_t index,
                                         const ParsedOptions& options) {
  const std::string source = HostPath(mount.source);
  const bool nofollow = options.source_nofollow || options.copy_symlink;
  HostObject object = MXC_TRY_AS(MountField(index, "source"), nofollow ? OpenHostLink(source) : OpenHostObject(source));
  if (options.copy_symlink && !object.link_target.empty()) {
    Step& step = Add(Op::kCopyLink, path);
    step.text = plan_.Intern(object.link_target);
    step.point = kPointInBundle;
    return {};
  }
  Step step;
  step.op = Op::kBind;
  step.path = plan_.Intern(path);
  step.point = MXC_TRY(PointFlags(path, index, IsProc(object.fd.get())));
  if (options.target_nofollow) step.point |= kPointNoFollow;
  step.nofollow = nofollow;
  step.directory = object.directory();
  step.recursive = options.recursive;
  step.flags = Kept(options.set);
  step.clear = options.clear;
  step.top_flags = Kept(options.top_set);
  step.top_clear = options.top_clear;
  step.propagation = options.propagation;
  // What is mounted inside reaches the host only where the root was asked to share, too; as under runc.
  const bool with_host = (Propagation(spec_.linux.rootfs_propagation) & MS_SHARED) != 0;
  if ((step.propagation & MS_SHARED) != 0 && !with_host) step.propagation |= MS_SLAVE;
  MXC_TRY_AS(MountField(index, "options"), PlanSource(step, object));
  MXC_TRY(PlanMountIds(mount, index, options, step));
  plan_.steps.push_back(step);
  const bool device = S_ISCHR(object.mode) || S_ISBLK(object.mode);
  shown_.push_back({path, Kind::kHost, !options.readonly(), object.directory(), device, object.canonical});
  return {};
}

Result<void> MountPlanner::PlanMountIds(const oci::Mount& mount, size_t index, const ParsedOptions& options,
                                        const Step& step) {
  if (!options.idmap && mount.uid_mappings.empty()) return {};
  OwnedMount owned;
  owned.path = step.path;
  owned.fd = step.fd;
  owned.below = options.idmap_below;
  auto ranges = [](const std::vector<oci::IdMapping>& mappings) {
    std::vector<IdRange> list;
    for (const oci::IdMapping& map : mappings) list.push_back({map.container_id, map.host_id, map.size});
    return list;
  };
  owned.uid_map = mount.uid_mappings.empty() ? plan_.uid_map : ranges(mount.uid_mappings);
  owned.gid_map = mount.gid_mappings.empty() ? plan_.gid_map : ranges(mount.gid_mappings);
  if (owned.uid_map.empty() || owned.gid_map.empty()) {
    return Error(Code::kInvalid, MountField(index, "options") +
                                     ": \"idmap\" needs uidMappings and gidMappings, or a new user " +
                                     "namespace whose maps it takes");
  }
  if (step.fd < 0) {
    return Error(Code::kUnsupported,
                 MountField(index, "uidMappings") + ": only root can idmap a mount (mount_setattr(2))");
  }
  plan_.prepared.push_back(std::move(owned));
  return {};
}

bool MountPlanner::OwnsNetwork() const {
  const bool joins_user = std::any_of(plan_.bundle.joins.begin(), plan_.bundle.joins.end(),
                                      [](const JoinedNamespace& join) { return join.type == CLONE_NEWUSER; });
  if ((plan_.namespaces & CLONE_NEWNET) != 0) return true;
  return context_.privileged && (plan_.namespaces & CLONE_NEWUSER) == 0 && !joins_user;
}

std::string MountPlanner::DataOf(const ParsedOptions& options) {
  std::string data;
  for (const auto& [key, value] : options.data) {
    data += (data.empty() ? "" : ",") + key + (value.empty() ? "" : "=" + value);
  }
  return data;
}

Result<void> MountPlanner::AddFilesystem(const oci::Mount& mount, const std::string& path, size_t index,
                                         ParsedOptions& options) {
  if (mount.type.empty()) return Error(Code::kInvalid, MountField(index, "type") + ": missing");
  const bool of_kernel = mount.type == "proc" || mount.type == "sysfs";
  Step step;
  step.op = Op::kFilesystem;
  step.path = plan_.Intern(path);
  step.type = plan_.Intern(mount.type);
  step.text = mount.source.empty() ? step.type : plan_.Intern(mount.source);
  step.point = MXC_TRY(PointFlags(path, index, mount.type == "proc"));
  if (of_kernel) step.point |= kPointNoLinks;
  if (options.target_nofollow) step.point |= kPointNoFollow;
  step.directory = true;
  step.recursive = (options.propagation & MS_REC) != 0;
  step.propagation = options.propagation;
  step.flags = Kept(options.set | options.top_set);
  step.copy_up = options.copy_up;
  step.optional = mount.type == "devpts";
  if (mount.type == "tmpfs") {
    step.keep_mode =
        std::none_of(options.data.begin(), options.data.end(), [](const auto& pair) { return pair.first == "mode"; });
    // Mount points are made in it first.
    if (options.readonly()) sealed_mounts_.push_back(path);
    step.flags &= ~static_cast<uint64_t>(MOUNT_ATTR_RDONLY);
  } else if (options.readonly() && mount.source.starts_with('/')) {
    options.data.emplace_back("ro", "");  // the file system itself: its device may be a read-only one
  }
  MXC_TRY(AddLabel(mount, options));
  const bool is_long = std::any_of(options.data.begin(), options.data.end(),
                                   [](const auto& pair) { return pair.second.size() > kLongestValue; });
  if (options.legacy != 0 || is_long) {
    step.legacy = options.legacy | LegacyFlags(step.flags);
    step.options = plan_.InternOptions({plan_.Intern(DataOf(options))});
  } else if (!options.data.empty()) {
    std::vector<const char*> data;
    for (const auto& [key, value] : options.data) {
      data.push_back(plan_.Intern(key));
      data.push_back(plan_.Intern(value));
    }
    step.options = plan_.InternOptions(std::move(data));
  }
  plan_.steps.push_back(step);
  shown_.push_back({path, Kind::kKernel, !options.readonly(), true, false, ""});
  return {};
}

Result<void> MountPlanner::AddLabel(const oci::Mount& mount, ParsedOptions& options) {
  if (spec_.linux.mount_label.empty() || mount.type == "proc" || mount.type == "sysfs") return {};
  struct statfs found;
  if (::statfs("/sys/fs/selinux", &found) != 0 || found.f_type != SELINUX_MAGIC) {
    return Error(Code::kUnsupported, "/linux/mountLabel: this host has no SELinux").WithHint("leave it out");
  }
  options.data.emplace_back("context", spec_.linux.mount_label);
  return {};
}

Result<void> MountPlanner::AddRemount(const std::string& path, size_t index, const ParsedOptions& options) {
  if (!options.data.empty()) {
    return Error(Code::kUnsupported, MountField(index, "options") +
                                         ": a remount changes ro, nosuid and the like, not \"" + options.data[0].first +
                                         "\" of the file system");
  }
  Step& step = Add(Op::kRemount, path);
  step.point = kPointInBundle | kPointOnProc;
  step.directory = true;
  step.recursive = (options.set | options.clear) != 0;
  step.flags = Kept(options.set | options.top_set);
  step.clear = options.clear | options.top_clear;
  step.propagation = options.propagation & ~static_cast<uint32_t>(MS_REC);
  return {};
}

Result<void> MountPlanner::AddCgroup(const std::string& path, size_t index, const ParsedOptions& options) {
  if (context_.cgroup_mounts == nullptr || context_.cgroup_mounts->entries.empty()) {
    return Error(Code::kUnsupported, MountField(index, "type") + ": this host shows no cgroups to mount");
  }
  oci::Mount group{path, "bind", "", {}, {}, {}};
  if (!context_.cgroup_mounts->v2) {
    ParsedOptions top = options;
    top.data = {{"mode", "755"}, {"size", "64k"}};
    MXC_TRY(AddFilesystem({path, "tmpfs", "tmpfs", {}, {}, {}}, path, index, top));
  }
  for (const cgroup::MountEntry& entry : context_.cgroup_mounts->entries) {
    const std::string name = entry.name.empty() ? path : JoinPath(path, "/" + entry.name);
    if (entry.is_symlink) {
      Step& step = Add(Op::kDeviceLink, name);
      step.text = plan_.Intern(entry.source);
      step.point = kPointInBundle;
      continue;
    }
    group.source = entry.source;
    ParsedOptions whole = options;
    whole.recursive = false;
    MXC_TRY(AddBundleBind(group, name, index, whole));
  }
  return {};
}

}  // namespace mxc::sandbox
