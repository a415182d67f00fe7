// Covers: what is mounted over a denied path. A cover is an empty file or an empty folder of mode 000 on a tmpfs, whose
// owner has no id inside the container. So open, also for writing, list and traverse fail with EACCES for everybody inside,
// also for a container root with CAP_DAC_OVERRIDE: the kernel lets that capability act only on objects whose owner the
// user namespace maps (capable_wrt_inode_uidgid). stat and O_PATH work; chmod and chown fail with EPERM; unlink and rename
// with EBUSY. The mount is not read-only: writing would then fail with EROFS, which tells of something else.
//
// Two ways to an owner outside the map:
//   as root   the parent, in the initial user namespace, makes the objects: they belong to an id that isn't mapped;
//   rootless  the child makes them in the container's user namespace and idmaps the mount through a child user
//             namespace that lacks their owner (tmpfs takes idmaps since Linux 6.3). On older kernels the cover is
//             weak, and read-only: a container that keeps CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH reads it, and
//             finds nothing. Bundles, whose programs may have them, are refused there.
//
// A cover does not survive that somebody outside replaces the covered name; CoverKeeper puts it back.
//
// All functions here are system calls only: no allocation, async-signal-safe, 0 or -errno.
#pragma once

#include <stdint.h>

namespace mxc::sandbox {

// Descriptors of mounts. All are close-on-exec; nothing is attached anywhere until AttachCover. One process uses them:
// two that got the same descriptors by fork would attach the same mount twice.
struct CoverSource {
  int base = -1;        // detached tmpfs; its root holds "d" and "f"
  int directory = -1;   // a detached mount of "d", ready to attach
  int file = -1;        // a detached mount of "f"
  bool weak = false;    // set before: the owner is mapped inside (rootless before Linux 6.3)
  uint64_t device = 0;  // st_dev of every cover made from this source, unique to it
};

// Makes `base`. Needs CAP_SYS_ADMIN over the user namespace of the caller's mount namespace.
// owner: a user and group id, as the caller's user namespace counts, that the container doesn't map; in rootless use
// 0, which leaves them the caller's own. unmapped: from MakeUnmappedNamespace, or -1.
int MakeCoverBase(CoverSource* source, uint32_t owner, int unmapped);

// A user namespace, child of the caller's, in which the caller's own user and group ids are no ids. Returns a
// descriptor or -errno. Reads /proc; the caller holds CAP_SETUID and CAP_SETGID in its user namespace.
int MakeUnmappedNamespace();

// Fills `directory` and `file` from `base`, unless that is done already. stash: kernels before 6.15 can't copy a mount
// that is attached nowhere, so there `base` is attached to this folder and stays: a folder of the caller's own, private
// mount namespace, in the tree that pivot_root drops (taking it down again would wait for an RCU grace period). nullptr:
// -EINVAL on such a kernel; so calls a parent in the host's mount namespace, and leaves the step to the child.
int SplitCovers(CoverSource* source, const char* stash);

// Rootless in one call: MakeUnmappedNamespace, MakeCoverBase and SplitCovers. Sets weak where the kernel is too old.
int MakeCoversInside(CoverSource* source, const char* stash);

// Attaches a cover to the object that `target` (O_PATH, with O_NOFOLLOW for a symbolic link) refers to, and keeps a
// further copy for the next call. -ENOTDIR: the kind doesn't fit the target. The mount is in the caller's namespace.
int AttachCover(CoverSource* source, int target, bool directory);

void CloseCovers(CoverSource* source);

}  // namespace mxc::sandbox
