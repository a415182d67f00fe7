// The part of a plan that builds the container's root. Keeps a lexical model of what each path of the container shows,
// so that mount points are made where they can be, and rules for one object reach each of its names.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/host_lookup.h"
#include "linux_runtime/sandbox/host_object.h"
#include "linux_runtime/sandbox/landlock.h"

namespace mxc::sandbox {

struct ParsedOptions;

// MOUNT_ATTR_* of folders that hold nothing a program may run.
inline constexpr uint64_t kInertAttributes = 2 | 4 | 8;  // nosuid, nodev, noexec

class MountPlanner {
 public:
  // prepare: bind mounts are cloned here, by the privileged parent, for the child to attach; else the child clones.
  MountPlanner(Plan& plan, const oci::Spec& spec, const oci::Extension& extension, const PlanContext& context,
               bool prepare)
      : plan_(plan), spec_(spec), extension_(extension), context_(context), prepare_(prepare) {}

  Result<void> Build();
  // Of a plain bundle: what comes before its root is entered, and what comes after, when hooks may have added mounts.
  Result<void> BuildBundle();
  void FinishBundle();

  // For Landlock: what is shown where, with which access.
  std::vector<LandlockPath> LandlockPaths() const;
  // on_missing: seal found a folder to seal, which takes Landlock's file rules.
  bool needs_landlock() const { return !sealed_.empty(); }
  // Refuses seals that Landlock can't hold, for the same reason as above.
  Result<void> CheckSeals() const;
  // For runs whose programs may make mount namespaces: refuses what is denied or read-only below a writable grant. A mount
  // keeps its name from being moved only in namespaces that have the mount (is_local_mountpoint in fs/namespace.c, since
  // Linux 3.18): a program that leaves it behind in one of its own moves the object, by a descriptor of the folder opened
  // before, to where another mount shows it uncovered.
  Result<void> CheckNesting() const;

 private:
  enum class Kind : uint8_t { kOurTmpfs, kHost, kKernel };
  struct Shown {
    std::string path;  // in the container
    Kind kind;
    bool writable = false;
    bool directory = true;
    bool device = false;
    std::string source;    // kHost: canonical
    bool granted = false;  // kHost: by the policy, not a part of the base system
  };
  // An object that a rule holds, with its other hard links in granted trees.
  struct HeldObject {
    const oci::DeniedPath* rule;
    HostObject object;
    std::vector<std::string> other_links;
  };
  struct ContainerName {
    std::string path;
    std::string host;  // canonical name on the host
    const Shown* shown;
  };

  // ---- plain bundles: mount_plan_bundle.cc, mount_plan_devices.cc ----
  Result<void> AddBundleRoot();
  Result<void> AddBundleMount(const oci::Mount& mount, size_t index);
  Result<void> AddBundleBind(const oci::Mount& mount, const std::string& path, size_t index,
                             const ParsedOptions& options);
  Result<void> AddFilesystem(const oci::Mount& mount, const std::string& path, size_t index, ParsedOptions& options);
  Result<void> AddRemount(const std::string& path, size_t index, const ParsedOptions& options);
  Result<void> AddCgroup(const std::string& path, size_t index, const ParsedOptions& options);
  Result<void> AddLabel(const oci::Mount& mount, ParsedOptions& options);
  // kPoint* of a destination. Errors: kRefused for one on or inside /proc that runc refuses, too.
  Result<uint32_t> PointFlags(const std::string& path, size_t index, bool is_proc) const;
  // The source of a bind: a copy of its mount, where this process may make one, else what the child makes one of.
  Result<void> PlanSource(Step& step, const HostObject& object);
  Result<void> PlanMountIds(const oci::Mount& mount, size_t index, const ParsedOptions& options, const Step& step);
  // The options as one text, for mount(2).
  static std::string DataOf(const ParsedOptions& options);
  // The container's user namespace owns its network namespace.
  bool OwnsNetwork() const;
  bool InUserNamespace() const;
  Result<void> AddBundleDevices();
  Result<void> AddListedDevice(const oci::Device& device, const std::string& field);
  void AddDeviceLink(const char* path, const char* target, bool replace);
  bool IsDestination(const std::string& path) const;
  // What a path of the container, without links on the way, is on the host; "" for one of a file system made for it. In a
  // sandbox of ours, where paths inside are paths outside, the path itself.
  std::string HostName(const std::string& path) const;
  // The object that a path of the container names: in a bundle by the links of its image, which stay inside.
  Result<HostObject> OpenNamed(const std::string& path, bool* through_link = nullptr) const;
  // A path of the spec on the host, which may be relative to the bundle.
  std::string HostPath(const std::string& path) const;

  Result<void> AddRoot();
  Result<void> AddFiles();
  Result<void> AddMount(const oci::Mount& mount, size_t index);
  Result<void> AddBind(const oci::Mount& mount, size_t index, const ParsedOptions& options);
  Result<void> AddDevices();
  Result<void> AddDevice(const std::string& name);
  // A folder that is denied but holds something granted: may be traversed, not listed.
  Result<void> AddPassages(const std::string& destination);
  Result<void> AddDenied();
  Result<void> AddProtected();
  Result<void> Open(const oci::DeniedPath& rule, bool protect, std::vector<HeldObject>& objects);
  Result<void> FindLinks(std::vector<HeldObject>& objects);
  Result<void> HoldMissing(const oci::DeniedPath& rule, bool protect, std::vector<HeldObject>& objects);
  Result<void> HoldUnreachable(const oci::DeniedPath& rule, std::vector<HeldObject>& objects);
  // Holds the object at `path` for a rule about something below it.
  Result<void> HoldInstead(const oci::DeniedPath& rule, const std::string& path, HostObject object,
                           std::vector<HeldObject>& objects);
  // A grant whose path leads, over a link or a bind mount, into what the rule denies.
  Result<void> RefuseGrantsBelow(const oci::DeniedPath& rule, const std::string& host_name) const;
  Result<void> HoldObject(const HeldObject& held, bool protect);
  // At the names that the container shows of `host_name`, which is the object of the rule or a mounted part of it.
  Result<void> HoldNames(const oci::DeniedPath& rule, const HostObject& object, const std::string& host_name,
                         bool protect);
  // A grant that leads over a link which the container could have made, to what it wasn't given otherwise.
  Result<void> CheckLinkedGrants() const;
  // Whether a planned cover hides the path: it has one by another name, or lies deeper in a denied folder.
  bool BelowCover(const std::string& path) const;
  Result<void> SettleReadonlyAliases();
  // Folders between a writable grant and a name held in it: moved away, they would take the name with them, and another
  // object could be put in its place. Inserted at step `before`, so that what holds the names comes on top.
  void PinFolders(size_t before);
  // Container paths of the symbolic links on the way to `path`, where the container could replace them.
  void LinksOnTheWay(const std::string& path, std::set<std::string>& links) const;
  void AddMasks();
  void NotePaths();
  // The grant that lets the container move or replace `path`, or what lies around it; null: none does.
  const Shown* WritableAbove(const std::string& path) const;
  // Landlock gives what any folder above gives, so it can't hold a read-only path below a writable one.
  bool BelowWritable(const std::string& path) const;
  // Rules for a writable tree with sealed folders in it. Rights hold for everything below a folder, so creation is given
  // to the folders beside the way instead.
  void AddSealedTree(const Shown& shown, std::vector<LandlockPath>& paths) const;

  // Makes sure that `path` exists when it is mounted on.
  Result<void> MakeMountPoint(const std::string& path, bool directory, const std::string& what);
  void MakeFolders(const std::string& top, const std::string& path);
  // Container paths with the planned symbolic links followed ("/bin/x" → "/usr/bin/x").
  std::string ThroughLinks(std::string path) const;
  const Shown* Locate(const std::string& path) const;
  std::vector<ContainerName> ContainerNames(const std::string& host_name) const;
  Result<const std::vector<HostMount>*> Mounts();
  // The canonical name, and those through other mounts.
  Result<std::vector<std::string>> HostNames(const HostObject& object);
  // The same of a folder that many rules' names would lie in.
  Result<const std::vector<std::string>*> FolderNames(const HostLookup::Folder& folder);
  void SettleReadonlyAlias(const std::string& destination, const HostObject& object, const std::string& host_name);
  Step& Add(Op op, const std::string& path);

  Plan& plan_;
  const oci::Spec& spec_;
  const oci::Extension& extension_;
  const PlanContext& context_;
  bool prepare_;
  std::vector<std::string> sealed_mounts_;  // bundles: read-only once everything is mounted
  std::vector<Shown> shown_;
  std::set<std::string> made_;
  std::vector<std::pair<std::string, std::string>> links_;
  std::set<std::string> held_;
  std::vector<std::string> linked_readonly_;  // read-only grants as the policy names them; a link may be on the way
  struct LinkedGrant {
    std::string destination, canonical;
    bool writable;
  };
  std::vector<LinkedGrant> linked_grants_;
  std::deque<oci::DeniedPath> stand_ins_;  // rules that hold a folder in place of something below it
  std::vector<std::string> passages_;
  std::vector<std::string> readonly_aliases_;             // other names of read-only grants, in writable ones
  std::set<std::pair<std::string, std::string>> sealed_;  // container path and host path of folders
  std::vector<std::pair<std::string, HostObject>> readonly_objects_;  // destination, source
  // Of denied and protected paths.
  HostLookup lookup_{[this](const std::string& path, bool* through_link) { return OpenNamed(path, through_link); }};
  std::map<std::string, std::vector<std::string>> folder_names_;  // by canonical name
  std::vector<HostMount> mounts_;
  bool mounts_read_ = false;
};

}  // namespace mxc::sandbox
