#include "shared/translate/path_layout.h"

#include <algorithm>

#include "shared/policy/path_tree.h"
#include "shared/translate/origin_text.h"

namespace mxc::translate {
namespace {

using policy::Access;
using policy::IsWithin;
using policy::PathRule;

bool Granted(const policy::EffectivePolicy& policy, std::string_view path) {
  const PathRule* rule = policy::Find(policy.paths, path);
  return rule != nullptr && rule->access != Access::kDeny && !rule->protect;
}

// Devices that every sandbox has (runtime-spec config-linux.md, default devices), so that a grant adds nothing.
bool IsDefaultDevice(std::string_view path) {
  static constexpr std::string_view kNames[] = {"null", "zero", "full",  "random", "urandom", "tty",    "ptmx",
                                                "pts",  "fd",   "stdin", "stdout", "stderr",  "mqueue", "console"};
  std::string_view name = path.substr(sizeof("/dev/") - 1);
  return std::find(std::begin(kNames), std::end(kNames), name.substr(0, name.find('/'))) != std::end(kNames);
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i++]);
    if (lead < 0x80) continue;
    int more = lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0;
    if (more == 0) return false;
    for (; more > 0; --more, ++i) {
      if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

bool IsOwnTmpfs(std::string_view path) {
  return IsWithin(path, "/run") || IsWithin(path, "/tmp") || IsWithin(path, "/dev");
}

oci::Mount Own(const char* path, const char* type, oci::Strings options) {
  oci::Mount mount;
  mount.destination = path;
  mount.type = type;
  mount.source = type;
  mount.options = std::move(options);
  return mount;
}

}  // namespace

void AddOwnMounts(const policy::EffectivePolicy& policy, std::vector<oci::Mount>& mounts) {
  const policy::Resources& limits = *policy.resources;
  auto sized = [&](const char* path, oci::Strings options, uint64_t bytes) {
    options.push_back("size=" + std::to_string(bytes));
    if (limits.tmpfs_inodes) options.push_back("nr_inodes=" + std::to_string(*limits.tmpfs_inodes));
    mounts.push_back(Own(path, "tmpfs", std::move(options)));
  };
  constexpr uint64_t kMiB = 1 << 20;
  // Where no size was set, something is: a tmpfs of no stated size takes half of the memory.
  constexpr uint64_t kUnset = 64 * kMiB;

  mounts.push_back(Own("/proc", "proc", {"nosuid", "noexec", "nodev"}));
  mounts.push_back(Own("/dev", "tmpfs", {"nosuid", "noexec", "mode=755", "size=65536", "nr_inodes=256"}));
  // Without gid=5: the container has one group.
  mounts.push_back(Own("/dev/pts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}));
  if (!Granted(policy, "/dev/shm")) {
    sized("/dev/shm", {"nosuid", "noexec", "nodev", "mode=1777"}, limits.shm_bytes.value_or(kUnset));
  }
  mounts.push_back(Own("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  if (!Granted(policy, "/tmp")) sized("/tmp", {"nosuid", "nodev", "mode=1777"}, limits.tmp_bytes.value_or(kUnset));
  if (!Granted(policy, "/run")) {
    mounts.push_back(Own("/run", "tmpfs", {"nosuid", "nodev", "noexec", "mode=755", "size=4194304", "nr_inodes=1024"}));
  }
}

PathLayout::PathLayout(const policy::EffectivePolicy& policy)
    : policy_(policy), rootfs_(policy.rootfs.value.has_value()) {
  // In byte order everything that starts with the same text stands together, so one chain of prefixes finds each rule's
  // nearest rule above in one pass. Texts that only share letters ("/a" and "/a-b") stay on the chain and are skipped.
  nodes_.reserve(policy.paths.size());
  std::vector<int32_t> chain;
  chain.reserve(16);
  for (const PathRule& rule : policy.paths) {
    if (rootfs_ && rule.baseline) continue;
    // Nothing is there unless granted, so a rule that denies all says nothing new.
    if (rule.path == "/" && rule.access == Access::kDeny) continue;
    while (!chain.empty() && !rule.path.starts_with(nodes_[chain.back()].rule->path)) chain.pop_back();
    int32_t parent = -1;
    for (auto at = chain.rbegin(); at != chain.rend() && parent < 0; ++at) {
      if (IsWithin(rule.path, nodes_[*at].rule->path)) parent = *at;
    }
    chain.push_back(static_cast<int32_t>(nodes_.size()));
    nodes_.push_back({.rule = &rule, .parent = parent});
  }
}

// What stands at `path` when no rule is above it: the sandbox's own file systems, the rootfs, or nothing.
PathLayout::Node PathLayout::Unruled(std::string_view path) const {
  Node node{.rule = nullptr, .parent = -1};
  if (IsOwnTmpfs(path) || IsWithin(path, "/proc")) {
    node.visible = true;
    node.writable = true;
  } else if (rootfs_) {
    node.visible = true;
    node.host = true;
    node.baseline = true;
  }
  return node;
}

void PathLayout::MarkPassages(const Node& node) {
  for (int32_t above = node.parent; above >= 0; above = nodes_[above].parent) nodes_[above].passage = true;
}

Result<void> PathLayout::Grant(Node& node, const Node& above, oci::Spec& spec, oci::Extension& extension,
                               std::vector<std::string>& notes) {
  const PathRule& rule = *node.rule;
  const std::string& path = rule.path;
  bool writable = rule.access == Access::kReadWrite;
  auto refuse = [&](std::string message, const char* hint) {
    return Error(Code::kUnsupported, "grant " + path + ": " + message)
        .WithHint(hint)
        .WithPosition(PositionOf(rule.origin));
  };
  node.visible = true;
  if (path == "/") {
    return refuse("the whole root can't be granted: it holds the host's devices, sockets and other users' files",
                  "name the folders the program needs");
  }
  if (path.starts_with("/proc") && IsWithin(path, "/proc")) {
    if (path != "/proc" && writable) {
      return refuse("the sandbox has a /proc of its own, whose settings stay read-only", "remove the path");
    }
    notes.push_back(RuleText(rule.origin) + ": the sandbox has a /proc of its own; the host's is not shown");
    node.writable = true;
    return {};
  }
  if (path.starts_with("/dev") && IsWithin(path, "/dev") && !IsWithin(path, "/dev/shm")) {
    if (path != "/dev" && !IsDefaultDevice(path)) {
      return refuse("devices can't be granted yet",
                    "remove the path; null, zero, full, random, urandom, tty, shm are there anyway");
    }
    notes.push_back(RuleText(rule.origin) + ": the sandbox has a /dev of its own; the host's is not shown");
    node.writable = true;
    return {};
  }
  node.host = true;
  node.writable = writable;
  node.baseline = rule.baseline;
  // The tree above shows it already. Names that the user wrote keep their own mount, which fails if they are missing.
  bool optional = rule.if_present || rule.origin.layer <= policy::Layer::kProfile;
  if (optional && above.visible && above.host && above.writable == writable && above.baseline == rule.baseline)
    return {};

  MarkPassages(node);
  oci::Mount& mount = spec.mounts.emplace_back();
  mount.destination = path;
  mount.type = "bind";
  mount.source = path;
  mount.options.reserve(5);
  for (const char* option : {"rbind", writable ? "rw" : "rro", "nosuid", "nodev", "rprivate"}) {
    mount.options.emplace_back(option);
  }
  if (rule.if_present) extension.if_present.push_back(path);
  if (!rule.baseline) extension.caller_owned.push_back(path);
  return {};
}

Result<void> PathLayout::Write(oci::Spec& spec, oci::Extension& extension, std::vector<std::string>& notes) {
  spec.mounts.reserve(spec.mounts.size() + nodes_.size() + 3);
  extension.denied.reserve(nodes_.size());
  for (Node& node : nodes_) {
    const PathRule& rule = *node.rule;
    if (!IsUtf8(rule.path)) {
      return Error(Code::kInvalid, "a path is not UTF-8, which an OCI specification can't express")
          .WithPosition(PositionOf(rule.origin));
    }
    const Node above = node.parent >= 0 ? nodes_[node.parent] : Unruled(rule.path);
    if (rule.access == Access::kDeny) continue;
    if (!rule.protect) {
      MXC_TRY(Grant(node, above, spec, extension, notes));
      continue;
    }
    // Only what could otherwise be written to needs protection; what isn't shown can't be made visible by it.
    node.visible = above.visible;
    node.host = above.host;
    node.baseline = above.baseline;
    if (above.visible && above.writable) {
      if (*policy_.nesting && rule.origin.layer != policy::Layer::kProfile) {
        return Error(Code::kUnsupported, "x-linux.nesting: " + rule.path +
                                             " is protected below a writable grant, and a " +
                                             "program that makes mounts can move it away from there")
            .WithHint("grant narrower folders, or set nesting to false")
            .WithPosition(PositionOf(rule.origin));
      }
      extension.protect.push_back({rule.path, RuleText(rule.origin), true});
    }
  }
  for (const Node& node : nodes_) {
    if (node.rule->access != Access::kDeny) continue;
    const policy::Origin& origin = node.rule->origin;
    bool shown_above = node.parent >= 0 ? nodes_[node.parent].visible : Unruled(node.rule->path).visible;
    // The host's sockets can't turn up in a tmpfs of our own, and profiles list many. Who denies such a name in the policy
    // itself means the name.
    bool pointless = node.parent < 0 && origin.layer <= policy::Layer::kProfile && IsOwnTmpfs(node.rule->path);
    // What isn't shown by this name may be shown by another one: a link, a bind mount or a hard link in a granted folder, or a
    // grant that is itself a link (a home under two names). Only the runtime can tell. Profiles list many names, so theirs
    // are left out where nothing is granted.
    bool elsewhere = origin.layer > policy::Layer::kProfile ? !shown_above : !extension.caller_owned.empty();
    if ((shown_above && !pointless) || node.passage || elsewhere) {
      extension.denied.push_back({node.rule->path, RuleText(origin), true});
    }
  }
  if (policy_.sysfs) {
    for (const char* path :
         {"/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage"}) {
      if (Nearest(path) != nullptr) continue;
      oci::Mount& mount = spec.mounts.emplace_back();
      mount = Own(path, "bind", {"rbind", "rro", "nosuid", "nodev", "noexec", "rprivate"});
      mount.source = path;
      extension.if_present.emplace_back(path);
    }
  }
  return {};
}

const PathLayout::Node* PathLayout::Nearest(std::string_view path) const {
  while (true) {
    const auto at = std::lower_bound(nodes_.begin(), nodes_.end(), path, [](const Node& node, std::string_view wanted) {
      return node.rule->path < wanted;
    });
    if (at != nodes_.end() && at->rule->path == path) return &*at;
    if (path.size() <= 1) return nullptr;
    path = policy::Parent(path);
  }
}

bool PathLayout::CanEnter(std::string_view directory) const {
  if (directory == "/") return true;
  const Node* nearest = Nearest(directory);
  bool visible = nearest != nullptr ? nearest->visible : Unruled(directory).visible;
  if (visible || (nearest != nullptr && nearest->rule->access == Access::kDeny)) return visible;
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const Node& node) { return node.visible && IsWithin(node.rule->path, directory); });
}

bool PathLayout::ShowsHost(std::string_view path) const {
  const Node* nearest = Nearest(path);
  return nearest != nullptr && nearest->visible && nearest->host;
}

}  // namespace mxc::translate
