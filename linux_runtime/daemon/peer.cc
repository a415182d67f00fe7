#include "linux_runtime/daemon/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <string>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif

namespace mxc::daemon {
namespace {

// Of the object behind a link of /proc: namespaces and roots are told apart by it. A root may lie on a file system that its owner
// serves (FUSE), so nothing is asked of that: what the kernel remembers is enough.
bool SameObject(const std::string& left, const std::string& right) {
  struct statx one, other;
  constexpr int kFlags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
  return sys::Statx(AT_FDCWD, left.c_str(), kFlags, STATX_INO, &one) == 0 &&
         sys::Statx(AT_FDCWD, right.c_str(), kFlags, STATX_INO, &other) == 0 &&
         one.stx_dev_major == other.stx_dev_major && one.stx_dev_minor == other.stx_dev_minor &&
         one.stx_ino == other.stx_ino;
}

Error Refused(const Peer& peer, const std::string& what) {
  return Error(Code::kRefused,
               "process " + std::to_string(peer.pid) + " of uid " + std::to_string(peer.uid) + " asks from " + what)
      .WithHint("mxcd serves processes of the machine itself, none inside a container or sandbox");
}

}  // namespace

Result<Peer> PeerOf(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return sys::SystemError("ask who is connected", errno);
  }
  Peer peer{credentials.pid, credentials.uid, credentials.gid, {}};
  if (peer.pid <= 0) return Error(Code::kRefused, "a process of another pid namespace asks");
  int number = -1;
  size = sizeof number;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &number, &size) != 0) number = sys::PidfdOpen(peer.pid);
  const sys::UniqueFd pidfd(number);
  if (!pidfd.valid()) return Error(Code::kRefused, "the process that asks is gone");

  peer.groups.resize(64);
  for (;;) {
    size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0) break;
    if (errno != ERANGE || peer.groups.size() > 65536)
      return sys::SystemError("ask for the groups of who is connected", errno);
    peer.groups.resize(size / sizeof(gid_t));
  }
  peer.groups.resize(size / sizeof(gid_t));

  const std::string process = "/proc/" + std::to_string(peer.pid);
  if (!SameObject(process + "/ns/user", "/proc/self/ns/user")) return Refused(peer, "another user namespace");
  if (!SameObject(process + "/ns/pid", "/proc/self/ns/pid")) return Refused(peer, "another pid namespace");
  if (!SameObject(process + "/root", "/")) return Refused(peer, "another root folder");
  const bool mounts = peer.uid == 0 || SameObject(process + "/ns/mnt", "/proc/self/ns/mnt") ||
                      SameObject(process + "/ns/mnt", "/proc/1/ns/mnt");
  if (!mounts) return Refused(peer, "another mount namespace");
  // Still the process that connected, so what was read was its own.
  if (sys::PidfdSendSignal(pidfd.get(), 0) == -ESRCH) return Error(Code::kRefused, "the process that asks is gone");
  return peer;
}

}  // namespace mxc::daemon
