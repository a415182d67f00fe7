#include "shared/policy/doors.h"

#include <algorithm>

#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

constexpr PathPattern At(std::string_view path) {
  return {PathRoot::kAbsolute, path.find('$') != path.npos, false, 0, path, "mxc", ""};
}
constexpr PathPattern Home(std::string_view rest) { return {PathRoot::kHome, false, false, 0, rest, "mxc", ""}; }
constexpr PathPattern Runtime(std::string_view rest) {
  return {PathRoot::kRuntimeDir, false, false, 0, rest, "mxc", ""};
}

constexpr std::string_view kOwnState = "state of mxc itself";
constexpr std::string_view kOwnFiles = "a program or configuration of mxc itself";
constexpr std::string_view kInterop = "how WSL starts Windows programs";
constexpr std::string_view kEngine = "the socket of a container engine, which gives away the machine";
constexpr std::string_view kBus = "a message bus, which starts programs outside";
constexpr std::string_view kDesktop = "the desktop's socket, which sees keys and screen";
constexpr std::string_view kDistributions = "a way to the desktop and to other distributions";
constexpr std::string_view kWindowsDrive = "a drive of Windows";
constexpr std::string_view kAgent = "an agent that signs with the caller's keys";

// /var/run has been a link to /run for years; policies still write it.
std::string_view WithoutVar(std::string_view path) { return IsWithin(path, "/var/run") ? path.substr(4) : path; }

Error Refuse(Code code, std::string_view path, std::string_view why, std::string hint) {
  return Error(code, "\"" + std::string(path) + "\" can't be granted: " + std::string(why)).WithHint(std::move(hint));
}

Result<void> CheckKernelFolders(std::string_view path) {
  if (IsWithin(path, "/proc"))
    return Refuse(Code::kRefused, path, "each sandbox has a /proc of its own", "remove the path");
  if (IsWithin(path, "/sys")) {
    return Refuse(Code::kRefused, path, "it is the kernel's control panel",
                  "a profile with sysfs (ml-train) shows the CPU and NUMA part of /sys");
  }
  if (IsWithin(path, "/dev")) {
    return Refuse(Code::kUnsupported, path,
                  "devices are not built yet; each sandbox has a minimal /dev and a /dev/shm of its own",
                  "remove the path; x-linux.resources.shm sets the size of /dev/shm");
  }
  return {};
}

PathRule DoorRule(std::string path, Access access, std::string_view what) {
  PathRule rule;
  rule.path = std::move(path);
  rule.access = access;
  rule.protect = access == Access::kReadOnly;
  rule.origin.layer = Layer::kBuiltin;
  rule.origin.name = what;
  return rule;
}

}  // namespace

// Names Doors' private kinds.
struct DoorTable {
  struct Door {
    Doors::Kind kind;
    PathPattern path;
    std::string_view what;
  };
  static constexpr Door kDoors[] = {
      {Doors::Kind::kState, At("/run/mxc"), kOwnState},
      {Doors::Kind::kState, Runtime("mxc"), kOwnState},
      {Doors::Kind::kState, At("/tmp/mxc-${uid}"), kOwnState},
      {Doors::Kind::kState, At("/var/lib/mxc"), kOwnState},
      {Doors::Kind::kState, At("/var/cache/mxc"), kOwnState},
      {Doors::Kind::kState, At("/var/log/mxc"), kOwnState},
      {Doors::Kind::kState, Home(".cache/mxc"), kOwnState},
      {Doors::Kind::kState, Home(".local/state/mxc"), kOwnState},
      {Doors::Kind::kOwn, At("/etc/mxc"), kOwnFiles},
      {Doors::Kind::kOwn, Home(".config/mxc"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/bin/mxc"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/bin/mxcd"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/bin/mxc-runtime"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/bin/mxc-relay"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/bin/lxc-exec"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/lib/libmxc_ffi.so"), kOwnFiles},
      {Doors::Kind::kOwn, At("/usr/local/libexec/mxc"), kOwnFiles},
      {Doors::Kind::kSocket, At("/init"), kInterop},
      {Doors::Kind::kSocket, At("/run/WSL"), kInterop},
      {Doors::Kind::kSocket, At("/run/dbus"), kBus},
      {Doors::Kind::kSocket, At("/run/systemd/private"), kBus},
      {Doors::Kind::kSocket, At("/run/docker.sock"), kEngine},
      {Doors::Kind::kSocket, At("/run/docker"), kEngine},
      {Doors::Kind::kSocket, At("/run/containerd"), kEngine},
      {Doors::Kind::kSocket, At("/run/podman"), kEngine},
      {Doors::Kind::kSocket, At("/run/crio"), kEngine},
      {Doors::Kind::kSocket, Runtime("docker.sock"), kEngine},
      {Doors::Kind::kSocket, Runtime("podman"), kEngine},
      {Doors::Kind::kSocket, Runtime("containerd-rootless"), kEngine},
      {Doors::Kind::kSocket, Runtime("bus"), kBus},
      {Doors::Kind::kSocket, Runtime("dbus-1"), kBus},
      {Doors::Kind::kSocket, Runtime("systemd"), kBus},
      {Doors::Kind::kSocket, Runtime("wayland-0"), kDesktop},
      {Doors::Kind::kSocket, Runtime("wayland-1"), kDesktop},
      {Doors::Kind::kSocket, Runtime("pulse"), kDesktop},
      {Doors::Kind::kSocket, Runtime("pipewire-0"), kDesktop},
      {Doors::Kind::kSocket, Runtime("gnupg"), kAgent},
      {Doors::Kind::kSocket, Runtime("keyring"), kAgent},
      {Doors::Kind::kSocket, At("/tmp/.X11-unix"), kDesktop},
  };
};

void Doors::Add(Kind kind, std::string path, std::string_view what) {
  shut_.push_back({kind, made_.emplace_back(std::move(path)), what});
}

Doors::Doors(const PathRoots& roots, const Caller& caller) {
  shut_.reserve(std::size(DoorTable::kDoors) + caller.own_programs.size() + 30);
  // Sockets lie in the usual folder wherever the caller's environment says that it is.
  PathRoots usual = roots;
  usual.runtime_dir = "/run/user/" + roots.uid;
  for (const auto& door : DoorTable::kDoors) {
    if (door.path.root == PathRoot::kAbsolute && !door.path.has_uid) {
      shut_.push_back({door.kind, door.path.rest, door.what});
    } else if (auto path = Expand(door.path, roots)) {
      Add(door.kind, *std::move(path), door.what);
    }
    if (door.path.root != PathRoot::kRuntimeDir || usual.runtime_dir == roots.runtime_dir) continue;
    Add(door.kind, *Expand(door.path, usual), door.what);
  }
  for (const std::string& program : caller.own_programs) Add(Kind::kOwn, program, kOwnFiles);
  // /mnt/wsl is shared by all distributions, /mnt/wslg holds the desktop's sockets and a second way to the root folder.
  shut_.push_back({Kind::kSocket, "/mnt/wsl", kDistributions});
  shut_.push_back({Kind::kSocket, "/mnt/wslg", kDistributions});
  const auto root = Normalise(caller.automount_root);
  if ((!caller.wsl && caller.distro.empty()) || !root.ok()) return;
  if (*root != "/mnt") {
    Add(Kind::kSocket, Join(*root, "wsl"), kDistributions);
    Add(Kind::kSocket, Join(*root, "wslg"), kDistributions);
  }
  for (char letter = 'a'; letter <= 'z'; ++letter)
    Add(Kind::kDrive, Join(*root, std::string(1, letter)), kWindowsDrive);
}

Result<void> Doors::CheckGrant(std::string_view path, Access access) const {
  if (access == Access::kDeny) return {};
  MXC_TRY(CheckKernelFolders(path));
  const std::string_view real = WithoutVar(path);
  for (const Shut& door : shut_) {
    if (door.kind == Kind::kDrive || (door.kind == Kind::kOwn && access != Access::kReadWrite)) continue;
    if (!IsWithin(real, door.path)) continue;
    return Refuse(Code::kRefused, path, "it is " + std::string(door.what),
                  door.kind == Kind::kOwn ? "grant it read-only" : "remove the path");
  }
  return {};
}

void Doors::AddTo(std::vector<PathRule>& rules) const {
  std::vector<std::string> grants;
  bool writes = false;
  for (const PathRule& rule : rules) {
    if (rule.access == Access::kDeny || rule.baseline || rule.protect) continue;
    grants.emplace_back(WithoutVar(rule.path));
    writes = writes || rule.access == Access::kReadWrite;
  }
  if (grants.empty()) return;
  for (const Shut& door : shut_) {
    const auto above = [&](const std::string& grant) { return IsWithin(door.path, grant); };
    // State and sockets also where no granted folder lies above: one may be another name of it, by a link or a mount.
    const bool anyhow = door.kind == Kind::kState || door.kind == Kind::kSocket;
    const bool wanted =
        anyhow || ((door.kind != Kind::kOwn || writes) && std::any_of(grants.begin(), grants.end(), above));
    if (wanted)
      rules.push_back(
          DoorRule(std::string(door.path), door.kind == Kind::kOwn ? Access::kReadOnly : Access::kDeny, door.what));
  }
}

}  // namespace mxc::policy
