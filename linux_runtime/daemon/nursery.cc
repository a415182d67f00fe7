#include "linux_runtime/daemon/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <span>

#include "linux_runtime/daemon/homes.h"
#include "linux_runtime/daemon/parcel.h"
#include "linux_runtime/daemon/session.h"
#include "linux_runtime/host/texts.h"
#include "linux_runtime/sandbox/apply.h"
#include "linux_runtime/sandbox/startup.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"

namespace mxc::daemon {
namespace {

constexpr size_t kMostGroups = 1024;
constexpr int kNurseryWithinMs = 2000;
constexpr int kSocket = 3;

struct Child {
  uid_t uid = 0;
  gid_t gid = 0;
  std::span<const gid_t> groups;
};

// Of a session with a home of its own, whose name no account has.
void SetOwnEnvironment(const std::string& folder) {
  ::setenv("HOME", (folder + "/home").c_str(), 1);
  ::setenv("XDG_RUNTIME_DIR", (folder + "/run").c_str(), 1);
  ::setenv("XDG_CACHE_HOME", (folder + "/cache").c_str(), 1);
}

// The environment that a login of this account starts with, as far as it concerns us.
void SetEnvironment(uid_t uid, const std::string& own_folder) {
  ::clearenv();
  ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  if (!own_folder.empty()) return SetOwnEnvironment(own_folder);
  const std::string passwd = host::ReadText("/etc/passwd").value_or("");
  if (const auto account = host::FindAccount(passwd, uid)) {
    ::setenv("HOME", std::string(account->home).c_str(), 1);
    ::setenv("USER", std::string(account->name).c_str(), 1);
  }
  const std::string runtime = "/run/user/" + std::to_string(uid);
  struct stat found;
  if (::lstat(runtime.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == uid &&
      (found.st_mode & 0077) == 0) {
    ::setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
  }
}

int BecomeUser(const Child& birth) {
  if (birth.uid == ::getuid() && ::getuid() != 0) return 0;  // mxcd is the user's own
  if (int error = sys::SetGroups(birth.groups.size(), birth.groups.data()); error < 0) return error;
  if (int error = sys::SetResGid(birth.gid); error < 0) return error;
  if (int error = sys::SetResUid(birth.uid); error < 0) return error;
  // Makes namespaces of his own, for which /proc/self has to be his. This memory is clean.
  return sys::Prctl(PR_SET_DUMPABLE, 1);
}

[[noreturn]] void LiveToEmpty(const Child& birth, std::vector<sys::UniqueFd>& descriptors) {
  int kept[] = {descriptors[0].get(), descriptors[1].get()};
  if (sys::CloseAllBut(0, kept) < 0 || BecomeUser(birth) < 0) ::_exit(125);
  EmptyFolder(descriptors[0].get());
  ::_exit(0);
}

[[noreturn]] void Live(const Child& birth, std::vector<sys::UniqueFd>& descriptors) {
  const bool gives_ids = ::geteuid() == 0;
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  sandbox::PopulateHeap();
  ::setsid();
  sys::Prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("mxc-session"));
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) ::_exit(125);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(null, fd) < 0) ::_exit(125);
  }
  SessionStart start;
  const sys::UniqueFd parcel = std::move(descriptors[0]);
  start.control = std::move(descriptors[1]);
  const bool has_client = descriptors.size() == 3;
  if (has_client) start.client = std::move(descriptors[2]);
  int kept[] = {parcel.get(), start.control.get(), start.client.get()};
  if (sys::CloseAllBut(3, {kept, has_client ? size_t{3} : size_t{2}}) < 0) ::_exit(125);
  if (BecomeUser(birth) < 0) ::_exit(125);
  ::umask(0022);
  Result<std::vector<std::string>> parts = UnpackParcel(parcel.get());
  if (!parts.ok()) ::_exit(125);
  Result<transport::Handover> handover = TakeHandover(*parts);
  if (!handover.ok() || parts->size() != 3) ::_exit(125);
  start.own_folder = (*parts)[2];
  start.gives_ids = gives_ids;
  SetEnvironment(birth.uid, start.own_folder);
  Result<wire::Request> request = wire::ReadRequest((*parts)[1]);
  if (!request.ok()) ::_exit(125);
  start.id = (*parts)[0];
  start.request = *std::move(request);
  start.unread = std::move(handover->unread);
  start.unsent = std::move(handover->unsent);
  start.secret = std::move(handover->secret);
  ::_exit(RunSession(std::move(start)));
}

}  // namespace

struct Nursery::Birth {
  uid_t uid = 0;
  gid_t gid = 0;
  Task task = Task::kSession;
  uint32_t group_count = 0;
  gid_t groups[kMostGroups] = {};
};

void Nursery::Serve() {
  constexpr int socket = kSocket;
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  // mxcd's end of the socket is its only tie: when mxcd goes, so does this.
  sys::Prctl(PR_SET_NAME, reinterpret_cast<unsigned long>(kName));
  ::setsid();
  ::signal(SIGCHLD, SIG_IGN);  // nobody waits for supervisors
  for (;;) {
    pollfd ready{socket, POLLIN, 0};
    if (::poll(&ready, 1, -1) < 0) continue;
    Birth birth;
    std::vector<sys::UniqueFd> descriptors;
    const long size = sys::ReceiveMessage(socket, {reinterpret_cast<char*>(&birth), sizeof birth}, descriptors);
    if (size == -EAGAIN || size == -EINTR) continue;
    if (size <= 0) ::_exit(0);
    const bool whole = size >= static_cast<long>(offsetof(Birth, groups)) && birth.group_count <= kMostGroups &&
                       size == static_cast<long>(offsetof(Birth, groups) + birth.group_count * sizeof(gid_t)) &&
                       descriptors.size() == (birth.task == Task::kSessionForClient ? size_t{3} : size_t{2});
    if (!whole || sys::Fork() != 0) continue;
    const Child child{birth.uid, birth.gid, {birth.groups, birth.group_count}};
    if (birth.task == Task::kEmpty) LiveToEmpty(child, descriptors);
    Live(child, descriptors);
  }
}

Result<Nursery> Nursery::Start() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return sys::SystemError("make a pair of sockets", errno);
  Nursery nursery;
  nursery.socket_.reset(pair[0]);
  const sys::UniqueFd theirs(pair[1]);
  const pid_t child = sys::Fork();
  if (child < 0) return sys::SystemError("start the process that sessions come from", -child);
  if (child == 0) {
    if (theirs.get() != kSocket && ::dup2(theirs.get(), kSocket) < 0) ::_exit(125);
    ::fcntl(kSocket, F_SETFD, 0);
    sys::CloseRange(kSocket + 1, ~0u, 0);
    char* const argv[] = {const_cast<char*>(kName), nullptr};
    char* const environment[] = {nullptr};
    ::execve("/proc/self/exe", argv, environment);
    ::_exit(125);
  }
  return nursery;
}

Result<void> Nursery::Spawn(const Account& account, sys::UniqueFd parcel, sys::UniqueFd control, sys::UniqueFd client) {
  const Task task = client.valid() ? Task::kSessionForClient : Task::kSession;
  std::vector<sys::UniqueFd> descriptors;
  descriptors.push_back(std::move(parcel));
  descriptors.push_back(std::move(control));
  if (client.valid()) descriptors.push_back(std::move(client));
  return Send(task, account, std::move(descriptors));
}

Result<void> Nursery::Empty(const Account& account, sys::UniqueFd folder, sys::UniqueFd done) {
  std::vector<sys::UniqueFd> descriptors;
  descriptors.push_back(std::move(folder));
  descriptors.push_back(std::move(done));
  return Send(Task::kEmpty, account, std::move(descriptors));
}

Result<void> Nursery::Send(Task task, const Account& account, std::vector<sys::UniqueFd> descriptors) {
  Birth birth;
  birth.task = task;
  birth.uid = account.uid;
  birth.gid = account.gid;
  if (account.groups.size() > kMostGroups) return Error(Code::kUnsupported, "the caller has more than 1,024 groups");
  birth.group_count = static_cast<uint32_t>(account.groups.size());
  std::copy(account.groups.begin(), account.groups.end(), birth.groups);
  const size_t used = offsetof(Birth, groups) + birth.group_count * sizeof(gid_t);
  long sent = 0;
  // Full while many are born at once: the nursery needs a fraction of a millisecond for each.
  while ((sent = sys::SendMessage(socket_.get(), {reinterpret_cast<const char*>(&birth), used}, descriptors)) ==
         -EAGAIN) {
    pollfd room{socket_.get(), POLLOUT, 0};
    if (::poll(&room, 1, kNurseryWithinMs) <= 0) break;
  }
  if (sent < 0) return sys::SystemError("start a session's supervisor", static_cast<int>(-sent));
  return {};
}

}  // namespace mxc::daemon
