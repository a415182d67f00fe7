// How processes get into a bundle's group.
#include <fcntl.h>
#include <linux/openat2.h>

#include "linux_runtime/cgroup/inside.h"
#include "linux_runtime/cgroup/proc.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

// --cgroup [CONTROLLERS:]PATH
struct Below {
  Controllers controllers = 0;  // 0: all
  std::string path;
};

Result<std::vector<Below>> ReadBelow(const std::vector<std::string>& words, bool v2) {
  std::vector<Below> list;
  for (const std::string& word : words) {
    Below below;
    size_t colon = word.find(':');
    if (colon != std::string::npos) {
      below.controllers = ParseControllers(word.substr(0, colon));
      if (v2 || below.controllers == 0) {
        return Error(Code::kUsage, "--cgroup " + word + ": " +
                                       (v2 ? "cgroup v2 has one tree for all controllers" : "no such controller"));
      }
    }
    below.path = word.substr(colon == std::string::npos ? 0 : colon + 1);
    below.path.erase(0, below.path.find_first_not_of('/'));
    list.push_back(std::move(below));
  }
  return list;
}

// A file or folder of the group or of one below it. The container may have made links and ".." is in its hands: neither
// is followed.
Result<sys::UniqueFd> OpenBelow(const Directory& group, const std::string& path, int flags) {
  int fd = sys::OpenAt2(group.fd(), path.empty() ? "." : path.c_str(), static_cast<uint64_t>(flags), 0,
                        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (fd < 0) return sys::SystemError("enter the cgroup " + group.path() + "/" + path, -fd);
  return sys::UniqueFd(fd);
}

// v2: where `init` is, as a path below the container's group.
std::string GroupOfInit(const Directory& group, const Layout& layout, pid_t init) {
  std::string path = layout.v2_mount + OwnPathOnV2(ReadProc("/proc/" + std::to_string(init) + "/cgroup"));
  return path.starts_with(group.path() + "/") ? path.substr(group.path().size() + 1) : "";
}

bool HandsOn(const Directory& group) {
  auto text = group.Read("cgroup.subtree_control");
  return text && text->find_first_not_of(" \n") != std::string::npos;
}

}  // namespace

Result<Entrance> BundleGroup::Enter() const { return EnterForExec({}, 0); }

Result<Entrance> BundleGroup::EnterForExec(const std::vector<std::string>& below, pid_t init) const {
  Entrance entrance;
  if (!exists()) {
    if (below.empty()) return entrance;
    return Error(Code::kUsage, "--cgroup " + below[0] + ": the container has no cgroup");
  }
  const Group& group = *inside_->group;
  std::vector<Below> wanted = MXC_TRY(ReadBelow(below, group.v2()));
  if (group.v2()) {
    const Directory& top = *group.Folders()[0];
    std::string path = wanted.empty() ? "" : wanted.back().path;
    if (wanted.empty() && init > 0 && HandsOn(top)) path = GroupOfInit(top, Hierarchy::Probe().layout(), init);
    entrance.folder = MXC_TRY(OpenBelow(top, path, O_PATH | O_DIRECTORY));
    return entrance;
  }
  for (const auto& [controllers, folder] : group.ByController()) {
    std::string path;
    for (const Below& one : wanted) {
      if (one.controllers == 0 || (one.controllers & controllers) != 0) path = one.path;
    }
    entrance.tasks.push_back(MXC_TRY(OpenBelow(*folder, path.empty() ? "tasks" : path + "/tasks", O_WRONLY)));
  }
  return entrance;
}

}  // namespace mxc::cgroup
