// Looks for the many names of a policy's rules below few folders: what is known of a folder from one name serves the next.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "linux_runtime/sandbox/host_object.h"
#include "shared/base/result.h"

namespace mxc::sandbox {

// For one plan; the host may change meanwhile, and each object that a rule holds is checked again when it is mounted on.
class HostLookup {
 public:
  struct Folder {
    std::string path;       // as asked for
    std::string canonical;  // as HostObject's
    bool directory = false;
  };

  using Opener = std::function<Result<HostObject>(const std::string& path, bool* through_link)>;
  // open: as OpenHostObject, which it is by default.
  explicit HostLookup(Opener open = OpenHostObject) : open_(std::move(open)) {}

  // As the opener. A name below a folder that was missing is missing, without another look.
  Result<HostObject> Open(const std::string& path);

  // The nearest name above `path` that exists, which may be a file.
  Result<Folder> NearestAbove(const std::string& path);

  // False if Open(path) found that no symbolic link lies on the way to it, as far as the way exists.
  bool MayLeadOverLink(const std::string& path) const { return !straight_.contains(path); }

 private:
  // The folder above `path` that is known to be missing, or nullptr.
  const std::string* MissingAbove(const std::string& path) const;

  Opener open_;
  std::map<std::string, std::optional<Folder>> known_;  // nullopt: missing
  std::set<std::string> straight_;
};

}  // namespace mxc::sandbox
