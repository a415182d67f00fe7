// Where session supervisors come from: a process that mxcd forks before it has heard from anybody. It only passes on what it
// can't read (a parcel, descriptors), so that what it forks in turn holds no other user's data, whoever may look at it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::daemon {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

class Nursery {
 public:
  // It is this program, executed anew: neither the layout of mxcd's memory nor its environment and arguments are its children's to
  // show. Call while this process has one thread.
  static Result<Nursery> Start();
  // What main does when it is called kName: never returns. The socket is descriptor 3.
  static constexpr char kName[] = "mxcd-nursery";
  [[noreturn]] static void Serve();

  // A supervisor for that account: session.h. parcel: the session's id, the request, the state of `client` (Handover).
  // Errors: kSystem; the nursery is busy or gone.
  Result<void> Spawn(const Account& account, sys::UniqueFd parcel, sys::UniqueFd control, sys::UniqueFd client);
  // A process of that account that empties a session's folder (homes.h). done: closed once it has.
  Result<void> Empty(const Account& account, sys::UniqueFd folder, sys::UniqueFd done);
  int fd() const { return socket_.get(); }  // readable: the nursery is gone

 private:
  Nursery() = default;
  enum class Task : uint32_t { kSession, kSessionForClient, kEmpty };
  struct Birth;
  Result<void> Send(Task task, const Account& account, std::vector<sys::UniqueFd> descriptors);

  sys::UniqueFd socket_;
};

}  // namespace mxc::daemon
