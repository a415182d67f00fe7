// The mounts that show what a policy's path rules grant, and the rules that hold on top of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"
#include "shared/policy/effective.h"

namespace mxc::translate {

// Lays EffectivePolicy::paths out. One object serves one translation.
class PathLayout {
 public:
  explicit PathLayout(const policy::EffectivePolicy& policy);

  // Appends the mounts to spec.mounts, parents before children, and fills if_present, caller_owned, denied and protect.
  // Errors: a grant that can't be shown (/, devices, parts of /proc), a path that isn't UTF-8.
  Result<void> Write(oci::Spec& spec, oci::Extension& extension, std::vector<std::string>& notes);

  // Whether a process inside can be in `directory`: it is shown and not denied, or it is a folder on the way to what is
  // shown. After Write.
  bool CanEnter(std::string_view directory) const;

  // A grant shows the host's object at `path`, or a folder above it. After Write.
  bool ShowsHost(std::string_view path) const;

 private:
  // What a rule comes to.
  struct Node {
    const policy::PathRule* rule;
    int32_t parent;        // nearest rule above; -1: none
    bool visible = false;  // something is shown at this path
    bool host = false;     // …and it is the host's
    bool writable = false;
    bool baseline = false;
    bool passage = false;  // denied, but a grant lies below it
  };

  Result<void> Grant(Node& node, const Node& above, oci::Spec& spec, oci::Extension& extension,
                     std::vector<std::string>& notes);
  void MarkPassages(const Node& node);
  const Node* Nearest(std::string_view path) const;
  Node Unruled(std::string_view path) const;

  const policy::EffectivePolicy& policy_;
  bool rootfs_;
  std::vector<Node> nodes_;
};

// The file systems of the sandbox's own: /proc, /dev and what is in it, /tmp, /run. Mounts that a grant on exactly that
// path replaces (/tmp, /run, /dev/shm) are left out.
void AddOwnMounts(const policy::EffectivePolicy& policy, std::vector<oci::Mount>& mounts);

}  // namespace mxc::translate
