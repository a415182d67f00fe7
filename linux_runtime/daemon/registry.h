// The sessions that mxcd knows, as they lie on disk: a folder each, which root alone (or mxcd's own user) can enter, with what
// a restarted mxcd needs to find them again.
//
//   FOLDER/mxcd.sock               what clients connect to
//   FOLDER/lock                    held by the mxcd that runs
//   FOLDER/sessions/ID/session     owner, state and the request, as a parcel
//   FOLDER/sessions/ID/control     the supervisor's socket
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/daemon/nursery.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::daemon {

enum class State : uint8_t {
  kRun,  // one program, one client: gone with its supervisor
  kProvisioned,
  kRunning,
  kStopped,
};
const char* StateName(State state);

struct Record {
  std::string id;
  Account owner;
  State state = State::kRun;
  int64_t created_unix_s = 0;
  std::string request;    // JSON, as the client sent it
  std::string run;        // for the audit
  uint32_t first_id = 0;  // of ids of its own (homes.h); 0: it has its owner's
};

class Registry {
 public:
  // Makes what is missing. Errors: kRefused where the folder belongs to somebody else, or another mxcd has the lock.
  static Result<Registry> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  Result<void> Add(const Record& record);    // with its folder
  Result<void> Write(const Record& record);  // again; all of it or nothing
  void Remove(const std::string& id);
  std::vector<Record> ReadAll() const;  // what can't be read is removed

  // The socket that a supervisor is to listen on, in place of one that is there.
  Result<sys::UniqueFd> Listen(const std::string& id) const;
  // To the supervisor. Error (kNotFound): nobody listens there any more.
  Result<sys::UniqueFd> Connect(const std::string& id) const;

 private:
  std::string folder_;
  sys::UniqueFd lock_, sessions_;
};

}  // namespace mxc::daemon
