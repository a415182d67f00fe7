#include "shared/policy/doors.h"

#include <algorithm>

#include "shared/policy/path_tree.h"

namespace mxc::policy {
namespace {

enum class DoorKind : uint8_t {
  kState,   // mxc's own state: shut, in every sandbox that can write anywhere
  kOwn,     // mxc's own programs and configuration: read-only, likewise
  kSocket,  // leads out: shut where a folder above is granted
};

struct Door {
  DoorKind kind;
  PathPattern path;
  std::string_view what;
};

constexpr PathPattern At(std::string_view path) { return {PathRoot::kAbsolute, path.find('$') != path.npos, false, 0, path, "mxc", ""}; }
constexpr PathPattern Home(std::string_view rest) { return {PathRoot::kHome, false, false, 0, rest, "mxc", ""}; }
constexpr PathPattern Runtime(std::string_view rest) { return {PathRoot::kRuntimeDir, false, false, 0, rest, "mxc", ""}; }

constexpr std::string_view kOwnState = "state of mxc itself";
constexpr std::string_view kOwnFiles = "a program or configuration of mxc itself";
constexpr std::string_view kInterop = "how WSL starts Windows programs";
constexpr std::string_view kEngine = "the socket of a container engine, which gives away the machine";
constexpr std::string_view kBus = "a message bus, which starts programs outside";
constexpr std::string_view kDesktop = "the desktop's socket, which sees keys and screen";
constexpr std::string_view kAgent = "an agent that signs with the caller's keys";

constexpr Door kDoors[] = {
    {DoorKind::kState, At("/run/mxc"), kOwnState},
    {DoorKind::kState, Runtime("mxc"), kOwnState},
    {DoorKind::kState, At("/tmp/mxc-${uid}"), kOwnState},
    {DoorKind::kState, At("/var/lib/mxc"), kOwnState},
    {DoorKind::kState, At("/var/cache/mxc"), kOwnState},
    {DoorKind::kState, At("/var/log/mxc"), kOwnState},
    {DoorKind::kState, Home(".cache/mxc"), kOwnState},
    {DoorKind::kState, Home(".local/state/mxc"), kOwnState},
    {DoorKind::kOwn, At("/etc/mxc"), kOwnFiles},
    {DoorKind::kOwn, Home(".config/mxc"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/bin/mxc"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/bin/mxcd"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/bin/mxc-runtime"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/bin/mxc-relay"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/bin/lxc-exec"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/lib/libmxc_ffi.so"), kOwnFiles},
    {DoorKind::kOwn, At("/usr/local/libexec/mxc"), kOwnFiles},
    {DoorKind::kSocket, At("/init"), kInterop},
    {DoorKind::kSocket, At("/run/WSL"), kInterop},
    {DoorKind::kSocket, At("/run/dbus"), kBus},
    {DoorKind::kSocket, At("/run/systemd/private"), kBus},
    {DoorKind::kSocket, At("/run/docker.sock"), kEngine},
    {DoorKind::kSocket, At("/run/docker"), kEngine},
    {DoorKind::kSocket, At("/run/containerd"), kEngine},
    {DoorKind::kSocket, At("/run/podman"), kEngine},
    {DoorKind::kSocket, At("/run/crio"), kEngine},
    {DoorKind::kSocket, Runtime("docker.sock"), kEngine},
    {DoorKind::kSocket, Runtime("podman"), kEngine},
    {DoorKind::kSocket, Runtime("containerd-rootless"), kEngine},
    {DoorKind::kSocket, Runtime("bus"), kBus},
    {DoorKind::kSocket, Runtime("dbus-1"), kBus},
    {DoorKind::kSocket, Runtime("systemd"), kBus},
    {DoorKind::kSocket, Runtime("wayland-0"), kDesktop},
    {DoorKind::kSocket, Runtime("wayland-1"), kDesktop},
    {DoorKind::kSocket, Runtime("pulse"), kDesktop},
    {DoorKind::kSocket, Runtime("pipewire-0"), kDesktop},
    {DoorKind::kSocket, Runtime("gnupg"), kAgent},
    {DoorKind::kSocket, Runtime("keyring"), kAgent},
    {DoorKind::kSocket, At("/tmp/.X11-unix"), kDesktop},
};

// /var/run has been a link to /run for years; policies still write it.
std::string_view WithoutVar(std::string_view path) { return IsWithin(path, "/var/run") ? path.substr(4) : path; }

// /mnt/wsl is shared by all distributions, /mnt/wslg holds the desktop's sockets and a second way to the root folder.
std::vector<std::string> WslFolders(const Caller& caller) {
  std::vector<std::string> folders = {"/mnt/wsl", "/mnt/wslg"};
  const auto root = Normalise(caller.automount_root);
  if (root.ok() && *root != "/mnt") folders.insert(folders.end(), {Join(*root, "wsl"), Join(*root, "wslg")});
  return folders;
}

Error Refuse(Code code, std::string_view path, std::string_view why, std::string hint) {
  return Error(code, "\"" + std::string(path) + "\" can't be granted: " + std::string(why)).WithHint(std::move(hint));
}

Result<void> CheckKernelFolders(std::string_view path) {
  if (IsWithin(path, "/proc")) return Refuse(Code::kRefused, path, "each sandbox has a /proc of its own", "remove the path");
  if (IsWithin(path, "/sys")) {
    return Refuse(Code::kRefused, path, "it is the kernel's control panel", "a profile with sysfs (ml-train) shows the CPU and NUMA part of /sys");
  }
  if (IsWithin(path, "/dev")) {
    return Refuse(Code::kUnsupported, path, "devices are not built yet; each sandbox has a minimal /dev and a /dev/shm of its own",
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

void AddDrives(const Caller& caller, const std::vector<std::string>& grants, std::vector<PathRule>& rules) {
  if (caller.distro.empty()) return;
  const auto root = Normalise(caller.automount_root);
  if (!root.ok()) return;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    std::string drive = Join(*root, std::string(1, letter));
    const bool above = std::any_of(grants.begin(), grants.end(), [&](const std::string& grant) { return IsWithin(drive, grant); });
    if (above) rules.push_back(DoorRule(std::move(drive), Access::kDeny, "a drive of Windows"));
  }
}

}  // namespace

Result<void> CheckGrant(std::string_view path, Access access, const PathRoots& roots, const Caller& caller) {
  if (access == Access::kDeny) return {};
  MXC_TRY(CheckKernelFolders(path));
  const std::string_view real = WithoutVar(path);
  for (const Door& door : kDoors) {
    if (door.kind == DoorKind::kOwn && access != Access::kReadWrite) continue;
    const auto shut = Expand(door.path, roots);
    if (!shut || !IsWithin(real, *shut)) continue;
    return Refuse(Code::kRefused, path, "it is " + std::string(door.what),
                  door.kind == DoorKind::kOwn ? "grant it read-only" : "remove the path");
  }
  for (const std::string& program : caller.own_programs) {
    if (access == Access::kReadWrite && IsWithin(real, program)) return Refuse(Code::kRefused, path, "it is " + std::string(kOwnFiles), "grant it read-only");
  }
  for (const std::string& folder : WslFolders(caller)) {
    if (IsWithin(real, folder)) return Refuse(Code::kRefused, path, "it leads to the desktop and to other distributions", "remove the path");
  }
  return {};
}

void AddDoors(const PathRoots& roots, const Caller& caller, std::vector<PathRule>& rules) {
  std::vector<std::string> grants;
  bool writes = false;
  for (const PathRule& rule : rules) {
    if (rule.access == Access::kDeny || rule.baseline || rule.protect) continue;
    grants.emplace_back(WithoutVar(rule.path));
    writes = writes || rule.access == Access::kReadWrite;
  }
  const auto granted_above = [&](std::string_view path) {
    return std::any_of(grants.begin(), grants.end(), [&](const std::string& grant) { return IsWithin(path, grant); });
  };
  for (const Door& door : kDoors) {
    // State also where no granted folder lies above: a granted folder may be another name of it.
    if (door.kind == DoorKind::kOwn ? !writes : grants.empty()) continue;
    auto path = Expand(door.path, roots);
    if (!path || (door.kind == DoorKind::kSocket && !granted_above(*path))) continue;
    rules.push_back(DoorRule(*std::move(path), door.kind == DoorKind::kOwn ? Access::kReadOnly : Access::kDeny, door.what));
  }
  if (writes) {
    for (const std::string& program : caller.own_programs) rules.push_back(DoorRule(program, Access::kReadOnly, kOwnFiles));
  }
  for (std::string& folder : WslFolders(caller)) {
    if (granted_above(folder)) rules.push_back(DoorRule(std::move(folder), Access::kDeny, kInterop));
  }
  AddDrives(caller, grants, rules);
}

}  // namespace mxc::policy
