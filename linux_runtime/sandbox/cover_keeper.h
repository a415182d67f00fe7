// CoverKeeper: keeps denied names denied and protected names read-only while a container runs.
//
// A cover (cover_source.h) hangs on the name's dentry. When somebody outside replaces the name (an editor that saves by
// rename, git checkout), the kernel drops the mount in the container's mount namespace and the new object is exposed.
// The keeper puts the cover back; the time in between is the window, measured and reported.
//
// The work is done by the guard, a process forked here that joins the container's user and mount namespaces but not its
// pid namespace, so nothing inside can see, signal or trace it. It sees what the container sees, and is woken by
//   inotify on every folder on the way to a name,
//   the container's /proc/PID/mountinfo, which reports POLLPRI when a mount goes,
//   as root, fanotify permission events on the parents: opening an exposed object fails with EPERM for every task of the
//   container, until the cover stands; all others pass at once. So there is no window for opens at all.
// It ends the container when its own parent, who moves things away and reports, is gone before it.
// It freezes the container meanwhile where the caller says how, and covers within tens of microseconds of being woken. If a
// cover can't be put back, it kills the container.
//
// What it can't do:
//   Without root, opens in the window succeed, and descriptors opened in it stay open. A part of the window is the
//   kernel's: a rename over a covered name drops the cover, waits for an RCU grace period, and only then changes the
//   name. Until then the old object is exposed and can't be covered: 0.1 ms, on an overloaded machine 10 ms and more.
//   With fanotify, calls other than open (truncate, rename, link, unlink) still have the window, and so has the way
//   through a folder put in the place of a denied folder to the files in it (open of that folder itself has not).
//   Changes by another machine or by Windows on 9p and network file systems raise no events.
//
// Names that don't exist yet: one that appears is covered at once. As root fanotify tells who made it: one made from
// inside is moved into the state folder at once; one made from outside stays, covered. Where the maker can't be told
// (rootless; as root when it has ended already) it is covered first, and moved when the container has ended: an object
// that the container may have made must not take effect on the host (a shell start-up file, a git hook, authorized_keys),
// and nothing is lost: the report says where it lies.
// A symbolic link put on the way to a name is covered itself, since following it could deny, or miss, anything.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "linux_runtime/sandbox/cover_keeper_moved.h"
#include "linux_runtime/sandbox/cover_source.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

struct KeptName {
  std::string path;         // in the container, canonical, absolute
  std::string host_parent;  // canonical folder on the host that holds the name, which may not exist yet
  std::string rule;         // as reports name it
  bool protect = false;     // read-only instead of covered
  bool existed = false;     // covered before the program starts
  // How much of host_parent existed when the run began, in bytes; npos: all. What lies beyond was made since.
  size_t host_known = std::string::npos;
};

struct KeeperOptions {
  pid_t pid = -1;  // the container's first process
  int pidfd = -1;  // of the same
  std::vector<KeptName> names;
  std::optional<uint32_t> cover_owner;  // as root: a host id that the container doesn't map; rootless: none
  bool unmapped_covers = false;         // as root, where the container maps that id, too: the mount shows no owner
  // The plan's, whose descriptors the guard keeps as long as it lives: whoever closes the last one waits for an RCU grace
  // period, and for the guard's end nobody waits.
  CoverSource kept_covers;
  bool kill_on_exposed = false;  // x-linux.on_exposed: kill. An exposed denied object ends the container
  bool hold_opens = true;        // fanotify, where the caller may and the kernel can
  // As root: a host id of this container's alone. The kernel counts groups of inotify and fanotify by user and gives each
  // 128 (fs.inotify.max_user_instances, fs.fanotify.max_user_groups): counted as root's, 64 sandboxes would use them up.
  std::optional<uint32_t> account;
  // The folder that objects made from inside are moved to, made when the first one comes; its owner keeps it open. Empty:
  // they stay, covered.
  std::function<Result<int>()> state_folder;
  // Called in the guard's process, which keeps only the descriptors in callback_descriptors.
  std::function<bool(bool frozen)> freeze;  // returns whether it did; empty: can't
  std::function<void()> kill;               // empty: SIGKILL to pidfd, which ends a pid namespace
  std::vector<int> callback_descriptors;
};

enum class KeeperHow : uint8_t {
  kCovered,    // an exposed object was covered again, or a new name was
  kKilled,     // the container was killed: on_exposed, or the cover could not be put back
  kMoved,      // an object made inside, or by nobody knows whom, was moved into the state folder
  kLeft,       // it could not be moved; `detail` says why
  kGuardDied,  // the guard ended before the container did; the container was killed
};

struct KeeperEvent {
  KeeperHow how = KeeperHow::kCovered;
  std::string path;
  std::string rule;
  uint32_t count = 1;              // kCovered: how many times
  uint32_t longest_window_us = 0;  // kCovered: an upper bound, by the parent folder's time of change
  uint32_t refused_opens = 0;      // kCovered: opens of exposed objects that fanotify refused
  std::string detail;              // kMoved: the name in the state folder
};

class CoverKeeper {
 public:
  // Starts the guard's process, which gets ready as far as it can while the container still builds its root. The caller
  // must have no other thread. Errors: kSystem.
  static Result<CoverKeeper> Start(KeeperOptions options);
  // The guard joins the container and makes sure of every name before this returns. Call it once, when the container's
  // root stands and before its program runs. Errors: kSystem.
  Result<void> Join();

  CoverKeeper(CoverKeeper&& other) noexcept;
  CoverKeeper& operator=(CoverKeeper&&) = delete;
  ~CoverKeeper();  // ends the guard

  // Readable when OnReady has something to do.
  int descriptor() const { return socket_.get(); }
  // Moves away what was made inside. False: the guard is gone and the container has been killed; stop polling.
  bool OnReady();
  // Whether opens are held by fanotify, so that there is no window for them.
  bool holds_opens() const { return holds_opens_; }

  // After the container has ended: a last pass over the names that nobody made before the start; ends the guard, whose
  // process may live on for some tens of milliseconds without doing anything.
  std::vector<KeeperEvent> Finish();
  // Before Finish, when the container has ended: lets the guard end while the caller does something else.
  void Dismiss();

 private:
  CoverKeeper() = default;
  void MoveAway(size_t index);
  void AwaitDone();
  void Kill();

  KeeperOptions options_;
  pid_t guard_ = -1;
  sys::UniqueFd socket_;
  struct SharedRecord* records_ = nullptr;  // one a name, written by the guard
  bool holds_opens_ = false;
  bool guard_died_ = false;
  bool done_ = false;  // the guard said that its records are final
  std::vector<KeeperEvent> events_;
  MoveBudget move_budget_;
  std::vector<LateCopy> late_copies_;
};

}  // namespace mxc::sandbox
