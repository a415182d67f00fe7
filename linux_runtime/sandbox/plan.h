// Plan: everything a container's start needs, decided beforehand. The parent builds it (build_plan.h), where code may
// allocate and fail with a sentence; the child (apply.h) walks it with system calls only. It is plain data, printable
// by FormatPlan, which is what `mxc plan` shows and the golden tests compare.
//
// Paths named `path` are of the container, absolute; `text` is a source on the host, a link's target or a content.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/sandbox/cover_source.h"
#include "linux_runtime/sandbox/landlock.h"
#include "linux_runtime/sandbox/process_plan.h"
#include "linux_runtime/sandbox/seccomp.h"
#include "linux_runtime/sys/fd.h"

namespace mxc::sandbox {

enum class Op : uint8_t {
  kAwaitParent,    // the parent writes the id maps and idmaps the prepared mounts, then lets go
  kMapSelf,        // one id, without privilege: the child writes its own maps; text: uid map, path: gid map
  kJoinCgroup,     // fd: an open v1 `tasks` file, or v2 `cgroup.procs`
  kUnshareCgroup,  // after joining, so that the namespace's root is the container's group
  kSetIds,         // flags: uid, extra: gid; mode 1: also drop supplementary groups
  kTieToParent,    // die when the supervisor dies
  kPrivateMounts,  // nothing mounted on the host later shows up inside
  kNewRoot,        // a tmpfs becomes the root; options
  kBindRoot,       // a folder becomes the root; as kBind
  kDirectory,      // path, mode
  kSymlink,        // path → text
  kFile,           // path with content text, size bytes, mode
  kBind,           // text (host) on path; or fd, a detached mount prepared by the parent
  kTmpfs,          // on path; options, flags
  kProc,           // on path
  kDevpts,         // on path
  kMqueue,         // on path
  kMakeCovers,     // without privilege: the objects that kCover attaches
  kCover,          // an object nobody inside may open, on path; directory
  kMask,           // hides path: /dev/null over a file, an empty read-only folder over a folder
  kReadonly,       // path and what is mounted below becomes read-only
  kPin,            // a folder on the way to a held name becomes a mount point: it can't be renamed or removed inside
  kSealMount,      // the mount at path itself becomes read-only, not what is mounted below
  kEnterRoot,      // pivot_root; the old root is gone
  kMeetParent,     // the root stands, as kEnterRoot said: wait, while the keeper of covers joins
  kHostname,       // text
  kDomainname,     // text
  kLoopbackUp,     // the network namespace's lo
  // Of plain bundles.
  kJoinNamespace,  // fd, flags: CLONE_NEW*; text: which
  kHooks,          // the parent runs prestart and createRuntime hooks, then the child its createContainer hooks
  kConsole,        // a PTY of the container's devpts; mode 1: its slave is bound on /dev/console
  // Of a bundle's process; see apply_process.h.
  kSysctl,         // path below /proc/sys → text; fd: the host's /proc
  kWorkingFolder,  // path is made where it is missing
  kFilesystem,     // a new file system of `type` on path; text: its source; options, flags
  kDevice,       // path becomes a node of `mode`, numbers in `device`, of uid `flags` and gid `extra`; where the kernel
                 // allows none, text (host) is bound instead
  kHostDevice,   // text (host), a node of `mode` with numbers `device`, on path
  kDeviceLink,   // path becomes a link to text; what is there already stays, unless `replace`
  kCopyLink,     // path is a link to text, or becomes one
  kRemount,      // the mount at path gets flags
  kPropagation,  // after kEnterRoot: the root's; flags: MS_*
  kTimeNamespace,   // a new time namespace with the offsets in text; fd: the host's /proc
  kAppArmorLabel,   // from exec on: path below /proc, text; fd: the host's /proc
  kSelinuxLabel,    // the same
  kSessionKeyring,  // a session keyring of the container's own
};

// How a bundle's mount point is found in its root. Links lead below the root, and what is missing is made, unless said.
inline constexpr uint32_t kPointInBundle = 1;
inline constexpr uint32_t kPointNoFollow = 2;  // a link at the end is the mount point itself
inline constexpr uint32_t kPointNoLinks = 4;   // no link anywhere on the way
inline constexpr uint32_t kPointOnProc = 8;    // it may lie on a proc file system

struct Step {
  Op op;
  bool directory = false;
  bool recursive = false;
  // A missing path is no error (kMask, kReadonly, kPin); a group that has no id in the user namespace is left out
  // (kFilesystem); without pivot_root (kEnterRoot).
  bool optional = false;
  bool verify = false;    // the object found must be (device, inode)
  bool copy_up = false;   // kFilesystem: starts with what lies at path
  bool nofollow = false;  // text may end in a link, which is then meant itself
  bool replace = false;
  bool or_bind = false;    // kFilesystem: where the kernel allows no new one, fd, else text (host), is bound
  bool keep_mode = false;  // kFilesystem: the mode of what lies at path goes to `mode` of the new file system
  const char* path = "";
  const char* text = "";
  size_t size = 0;
  const char* const* options = nullptr;  // key, value, key, value, …, nullptr for fsconfig
  int fd = -1;
  uint32_t mode = 0;
  uint64_t flags = 0;                     // MOUNT_ATTR_* to set
  uint64_t clear = 0;                     // MOUNT_ATTR_* to clear
  uint64_t top_flags = 0, top_clear = 0;  // the same for the mount itself, where `recursive` are the others
  uint32_t propagation = 0;               // MS_*, with MS_REC; MS_SLAVE | MS_SHARED: one after the other. 0: private
  uint32_t point = 0;                     // kPoint*; 0: a mount point of a plan that made it
  uint32_t legacy = 0;                    // kFilesystem: MS_* for mount(2), which then makes the mount
  const char* type = "";                  // kFilesystem
  uint64_t extra = 0;
  uint64_t device = 0, inode = 0;
};

struct Rlimit {
  int resource = 0;
  uint64_t soft = 0, hard = 0;
};

// A map of one user or group range, as a line of /proc/PID/uid_map.
struct IdRange {
  uint32_t inside = 0, outside = 0, count = 0;
  bool operator==(const IdRange&) const = default;
};

// A detached mount that is idmapped once the container's user namespace exists: so that its files are the caller's, or as
// the maps say.
struct OwnedMount {
  std::string path;
  int fd = -1;
  std::vector<IdRange> uid_map = {}, gid_map = {};  // as of a user namespace; empty: the caller's ids
  bool below = true;                                // what is mounted below, too
};

// How a denied or protected name is held; see CoverKeeper.
struct GuardedPath {
  std::string path;         // in the container
  std::string host_parent;  // canonical folder on the host that holds the name
  std::string name;
  std::string rule;
  bool protect = false;  // read-only rather than denied
  bool exists = false;
  bool directory = false;
  bool alias = false;  // another name of an object that a rule names
};

// What the container shows of a granted, denied or protected path, for reports.
struct ShownPath {
  std::string path;
  const char* access = "";  // "deny", "ro", "rw"
  bool landlock = false;    // Landlock's rules, where the run has them, say the same as the mounts
};

// A namespace that exists already. type: CLONE_NEW*, or 0 with a pidfd as fd: `types` of setns(2) at once.
struct JoinedNamespace {
  int fd = -1;
  uint64_t type = 0;
  const char* name = "";
};

// A hook of an OCI bundle, ready for execve. argv and env are null-terminated.
struct PlannedHook {
  const char* path = "";
  const char* folder = nullptr;  // to start in, where it can be entered
  std::vector<const char*> argv, env;
  int timeout_ms = -1;     // -1: none
  const char* field = "";  // "hooks.createContainer[0]"
};

// What only the containers of plain bundles have.
struct BundlePlan {
  bool wanted = false;
  // Joined by an intermediate process before the container's first one is made, in this order: processes of a pid, time
  // or user namespace are its members from birth.
  std::vector<JoinedNamespace> joins;
  std::vector<int> join_cgroup;  // files that the intermediate process writes 0 into, before it joins anything
  bool runtime_hooks = false;    // the parent has hooks to run at kHooks
  std::vector<PlannedHook> create_container, start_container;
  int state_creating = -1, state_created = -1;  // memory files with the container's state as JSON, for hooks
  int hook_output = -1;                         // memory file for what hooks print
  int start_fifo = -1;             // the child waits for a byte there before it executes the program; -1: doesn't wait
  int start_status = -1;           // takes over from the status pipe once the parent goes away
  unsigned preserved = 0;          // descriptors from 3 on that the program gets
  uint16_t rows = 0, columns = 0;  // of the console; 0: the kernel's default
};

inline constexpr char kInitName[] = "mxc-init";

class Plan {
 public:
  Plan() = default;
  Plan(Plan&&) = default;
  Plan& operator=(Plan&&) = default;

  uint64_t namespaces = 0;  // CLONE_NEW* for clone3
  std::vector<Step> steps;
  std::vector<IdRange> uid_map, gid_map;
  bool parent_writes_maps = false;
  bool use_newidmap = false;            // several ids without privilege: newuidmap and newgidmap write the maps
  int cgroup_fd = -1;                   // v2: CLONE_INTO_CGROUP
  uint32_t disk_uid = 0, disk_gid = 0;  // the caller's, whose files the prepared mounts show as the container user's
  std::vector<OwnedMount> prepared;     // detached mounts that steps refer to by fd

  // The program.
  std::vector<const char*> argv, env;   // null-terminated
  std::vector<const char*> candidates;  // paths to try, null-terminated
  const char* cwd = "/";
  bool cwd_required = true;  // false: "/" when it doesn't exist inside
  uint32_t uid = 0, gid = 0;
  int umask = -1;
  bool terminal = false;
  uint8_t terminal_streams = 7;  // which standard streams it becomes, a bit each; with 0 among them, it controls, too
  bool reaper = true;
  bool serves = false;  // no program of its own: the first process starts those that the supervisor asks for
  const char* init_name = kInitName;  // of the reaper
  bool no_new_privileges = true;
  uint64_t bounding = 0, permitted = 0, effective = 0, inheritable = 0, ambient = 0;  // capability sets, bit N = cap N
  std::vector<Rlimit> rlimits;
  ProcessPlan process;  // of a bundle
  LandlockPlan landlock;
  bool use_landlock = false;
  std::vector<SeccompProgram> seccomp;  // installed in order, the last one last

  BundlePlan bundle;
  std::vector<std::string>
      network;  // the rules for what is sent, a line each; empty: only the loopback device is there
  std::vector<GuardedPath> guarded;
  std::vector<ShownPath> shown;    // not the base system
  std::vector<std::string> notes;  // what was decided differently from what the spec's words say, and why
  CoverSource covers;              // made by the privileged parent; else empty until kMakeCovers

  // Copies text into storage that lives as long as the plan.
  const char* Intern(std::string_view text) { return strings_.emplace_back(text).c_str(); }
  // The same for what the child fills in.
  char* InternMutable(std::string text) { return strings_.emplace_back(std::move(text)).data(); }
  const char* const* InternOptions(std::vector<const char*> options) {
    options.push_back(nullptr);
    return options_.emplace_back(std::move(options)).data();
  }
  // Takes an open descriptor over; returns its number.
  int Own(sys::UniqueFd fd) { return fds_.emplace_back(std::move(fd)).get(); }
  void CloseDescriptors() { fds_.clear(); }

 private:
  std::deque<std::string> strings_;
  std::deque<std::vector<const char*>> options_;
  std::vector<sys::UniqueFd> fds_;
};

// One line a step, without descriptor or inode numbers: "bind /usr on /usr (ro, nosuid, nodev, recursive)".
std::string FormatPlan(const Plan& plan);
std::string FormatStep(const Step& step);
std::string FormatProcess(const Plan& plan);  // of a bundle

}  // namespace mxc::sandbox
