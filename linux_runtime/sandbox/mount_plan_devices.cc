// Device nodes of a plain bundle: those that every container has (config-linux.md "Default Devices") and linux.devices.
#include <sys/sysmacros.h>

#include <algorithm>

#include "linux_runtime/sandbox/mount_plan.h"
#include "linux_runtime/sandbox/weaken.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

struct DefaultDevice {
  const char* path;
  unsigned major, minor;
};
constexpr DefaultDevice kDefaultDevices[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                                             {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};

struct Link {
  const char* path;
  const char* target;
};
constexpr Link kLinks[] = {{"/dev/fd", "/proc/self/fd"},
                           {"/dev/stdin", "/proc/self/fd/0"},
                           {"/dev/stdout", "/proc/self/fd/1"},
                           {"/dev/stderr", "/proc/self/fd/2"}};

bool IsDevice(const std::string& path, uint32_t kind, uint64_t numbers) {
  struct stat found;
  return ::stat(path.c_str(), &found) == 0 && (found.st_mode & S_IFMT) == kind && found.st_rdev == numbers;
}

// Where the host has the device: under the same name, or where udev lists devices by number.
std::string HostDevicePath(const std::string& path, uint32_t kind, unsigned major, unsigned minor) {
  const std::string numbers = std::to_string(major) + ":" + std::to_string(minor);
  for (const std::string& candidate : {path, (kind == S_IFCHR ? "/dev/char/" : "/dev/block/") + numbers}) {
    if (!IsDevice(candidate, kind, makedev(major, minor))) continue;
    // By its real name: the child follows no links of the host's.
    Result<HostObject> object = OpenHostObject(candidate);
    if (object.ok()) return object->canonical;
  }
  return "";
}

}  // namespace

bool MountPlanner::InUserNamespace() const {
  return !context_.privileged || (plan_.namespaces & CLONE_NEWUSER) != 0 ||
         std::any_of(plan_.bundle.joins.begin(), plan_.bundle.joins.end(),
                     [](const JoinedNamespace& join) { return join.type == CLONE_NEWUSER || join.type == 0; });
}

Result<void> MountPlanner::AddBundleDevices() {
  // A /dev of the host's has its own nodes, and making ones there would change the host.
  const bool of_host = std::any_of(shown_.begin(), shown_.end(), [](const Shown& shown) {
    return shown.path == "/dev" && shown.kind == Kind::kHost;
  });
  if (of_host) return {};
  for (size_t index = 0; index < spec_.linux.devices.size(); ++index) {
    MXC_TRY(AddListedDevice(spec_.linux.devices[index], "/linux/devices/" + std::to_string(index)));
  }
  for (const DefaultDevice& device : kDefaultDevices) {
    const bool listed = std::any_of(spec_.linux.devices.begin(), spec_.linux.devices.end(),
                                    [&](const oci::Device& other) { return other.path == device.path; });
    if (listed) continue;
    oci::Device node;
    node.type = "c";
    node.path = device.path;
    node.major = device.major;
    node.minor = device.minor;
    MXC_TRY(AddListedDevice(node, "the default device"));
  }
  for (const Link& link : kLinks) AddDeviceLink(link.path, link.target, false);
  struct stat core;
  if (::stat("/proc/kcore", &core) == 0) AddDeviceLink("/dev/core", "/proc/kcore", false);
  // The image's may be a node, which would be the host's terminals.
  AddDeviceLink("/dev/ptmx", "pts/ptmx", true);
  return {};
}

void MountPlanner::AddDeviceLink(const char* path, const char* target, bool replace) {
  if (IsDestination(path)) return;
  Step& step = Add(Op::kDeviceLink, path);
  step.text = target;
  step.point = kPointInBundle;
  step.replace = replace;
}

bool MountPlanner::IsDestination(const std::string& path) const {
  return std::any_of(shown_.begin(), shown_.end(), [&](const Shown& shown) { return shown.path == path; });
}

Result<void> MountPlanner::AddListedDevice(const oci::Device& device, const std::string& field) {
  // The specification's mounts go before its devices: something of the host's is already there.
  if (IsDestination(device.path)) return {};
  const uint32_t kind = device.type == "b" ? S_IFBLK : device.type == "p" ? S_IFIFO : S_IFCHR;
  const auto major = static_cast<unsigned>(device.major), minor = static_cast<unsigned>(device.minor);
  Step step;
  step.op = Op::kDevice;
  step.path = plan_.Intern(device.path);
  step.point = kPointInBundle;
  step.mode = kind | (device.file_mode.value_or(0666) & 07777);
  step.device = makedev(major, minor);
  step.flags = device.uid.value_or(0);
  step.extra = device.gid.value_or(0);
  if (kind != S_IFIFO) {
    // In a user namespace the kernel lets nobody make a node, and heeds none that lies on its file systems.
    const bool bind = InUserNamespace();
    const std::string host = bind ? HostDevicePath(device.path, kind, major, minor) : device.path;
    if (host.empty()) {
      return Error(Code::kUnsupported, field + ": " + device.path +
                                           " can't be made in a user namespace, and this host has no " + "device " +
                                           std::to_string(major) + ":" + std::to_string(minor) + " to bind");
    }
    step.text = plan_.Intern(host);
    if (bind) step.op = Op::kHostDevice;
  }
  plan_.steps.push_back(step);
  shown_.push_back({device.path, Kind::kKernel, true, false, true, ""});
  return {};
}

}  // namespace mxc::sandbox
