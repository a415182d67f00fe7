// A session's supervisor: a process of its own, as its user, that admits the session's policy, makes the sandbox, runs programs in
// it and carries their streams. It needs mxcd only to begin with, and outlives it.
#pragma once

#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/wire/message.h"

namespace mxc::daemon {

struct SessionStart {
  std::string id;
  wire::Request request;               // kRun, kProvision (checks only), kStart, kFacts
  sys::UniqueFd control;               // listens for mxcd
  sys::UniqueFd client;                // kRun, kProvision, kFacts: the client's connection; else none
  std::string unread, unsent, secret;  // of that connection (transport::Handover)
  std::string own_folder;  // of a session with ids and a home of its own (homes.h), which this process's then are
  bool gives_ids = false;  // mxcd is root's, and gives such a session what it needs
};

// In a process that is its user's already, with clean memory. Returns its exit status.
int RunSession(SessionStart start);

}  // namespace mxc::daemon
