// The part of a plan that builds the container's root. Keeps a lexical model of what each path of the container shows,
// so that mount points are made where they can be, and rules for one object reach each of its names.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/host_lookup.h"
#include "linux_runtime/sandbox/host_object.h"
#include "linux_runtime/sandbox/landlock.h"

namespace mxc::sandbox {

// MOUNT_ATTR_* of folders that hold nothing a program may run.
inline constexpr uint64_t kInertAttributes = 2 | 4 | 8;  // nosuid, nodev, noexec

class MountPlanner {
 public:
  // prepare: bind mounts are cloned here, by the privileged parent, for the child to attach; else the child clones.
  MountPlanner(Plan& plan, const oci::Spec& spec, const oci::Extension& extension, bool prepare)
      : plan_(plan), spec_(spec), extension_(extension), prepare_(prepare) {}

  Result<void> Build();

  // For Landlock: what is shown where, with which access.
  std::vector<LandlockPath> LandlockPaths() const;
  // on_missing: seal found a folder to seal, which takes Landlock's file rules.
  bool needs_landlock() const { return !sealed_.empty(); }
  // Refuses seals that Landlock can't hold, for the same reason as above.
  Result<void> CheckSeals() const;

 private:
  enum class Kind : uint8_t { kOurTmpfs, kHost, kKernel };
  struct Shown {
    std::string path;    // in the container
    Kind kind;
    bool writable = false;
    bool directory = true;
    bool device = false;
    std::string source;  // kHost: canonical
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
    std::string host;    // canonical name on the host
    const Shown* shown;
  };

  Result<void> AddRoot();
  Result<void> AddFiles();
  Result<void> AddMount(const oci::Mount& mount, size_t index);
  Result<void> AddBind(const oci::Mount& mount, size_t index, const struct ParsedOptions& options);
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
  Step& Add(Op op, const std::string& path);

  Plan& plan_;
  const oci::Spec& spec_;
  const oci::Extension& extension_;
  bool prepare_;
  std::vector<Shown> shown_;
  std::set<std::string> made_;
  std::vector<std::pair<std::string, std::string>> links_;
  std::set<std::string> held_;
  std::vector<std::string> linked_readonly_;  // read-only grants as the policy names them; a link may be on the way
  std::deque<oci::DeniedPath> stand_ins_;  // rules that hold a folder in place of something below it
  std::vector<std::string> passages_;
  std::set<std::pair<std::string, std::string>> sealed_;  // container path and host path of folders
  std::vector<std::pair<std::string, HostObject>> readonly_objects_;  // destination, source
  HostLookup lookup_;  // of denied and protected paths
  std::vector<HostMount> mounts_;
  bool mounts_read_ = false;
};

}  // namespace mxc::sandbox
