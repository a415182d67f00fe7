// Where mxc keeps what must outlive a process: /run/mxc as root; $XDG_RUNTIME_DIR/mxc for others, else /tmp/mxc-UID.
#pragma once

#include <functional>
#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::run {

struct StateFolder {
  std::string path;
  sys::UniqueFd fd;
};

// runtime_directory: the value of XDG_RUNTIME_DIR, or "".
std::string StateFolderPath(bool privileged, const std::string& runtime_directory);

// Where mxcd lies by default, and the name of its socket in there.
std::string DaemonFolder(bool privileged, const std::string& runtime_directory);
inline constexpr char kDaemonSocket[] = "/mxcd.sock";

// Makes the folder with mode 0700 if it isn't there. Errors: kRefused when it is a link, belongs to somebody else or may
// be written by others, since then somebody else decides what we find there.
Result<StateFolder> OpenStateFolder(bool privileged, const std::string& runtime_directory);

// A folder for what a run moves out of a work tree, below the state folder. Removed again when nothing came into it;
// else it stays, since it holds somebody's data.
class MovedFolder {
 public:
  static Result<MovedFolder> Make(const StateFolder& state, const std::string& name);
  MovedFolder(MovedFolder&&) = default;
  MovedFolder& operator=(MovedFolder&&) = default;
  ~MovedFolder();

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  MovedFolder() = default;
  std::string path_, name_;
  sys::UniqueFd parent_, fd_;
};

// Removes the empty MovedFolders of runs that were killed: those for whose name alive() is false. Never an error: what
// can't be removed stays for the next time.
void SweepMovedFolders(const StateFolder& state, const std::function<bool(const std::string& name)>& alive);

}  // namespace mxc::run
