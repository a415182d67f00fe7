// `spec`: a config.json to start from, as runc's users expect it: a shell in ./rootfs with few rights.
#include <unistd.h>

#include <memory>

#include "linux_runtime/runtime/commands.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/oci/json.h"

namespace mxc::runtime {
namespace {

oci::Mount MountOf(const char* destination, const char* type, const char* source, oci::Strings options) {
  oci::Mount mount;
  mount.destination = destination;
  mount.type = type;
  mount.source = source;
  mount.options = std::move(options);
  return mount;
}

oci::Process Shell() {
  oci::Process process;
  process.terminal = true;
  process.args = {"sh"};
  process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"};
  process.cwd = "/";
  process.no_new_privileges = true;
  const oci::Strings rights = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  process.capabilities.emplace();
  process.capabilities->bounding = process.capabilities->effective = process.capabilities->permitted = rights;
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  return process;
}

oci::Spec Template(bool rootless) {
  oci::Spec spec;
  spec.oci_version = "1.2.0";
  spec.process = Shell();
  spec.root = oci::Root{"rootfs", true};
  spec.hostname = "mxc";
  spec.mounts = {
      MountOf("/proc", "proc", "proc", {}),
      MountOf("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      MountOf("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
      MountOf("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
      MountOf("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      rootless ? MountOf("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"})
               : MountOf("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
  };
  spec.linux.namespaces = {{"pid", ""}, {"ipc", ""}, {"uts", ""}, {"mount", ""}};
  spec.linux.masked_paths = {"/proc/acpi",          "/proc/asound", "/proc/kcore",       "/proc/keys",
                             "/proc/latency_stats", "/proc/scsi",   "/proc/sched_debug", "/proc/timer_list",
                             "/proc/timer_stats",   "/sys/firmware"};
  spec.linux.readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  if (rootless) {
    spec.linux.namespaces.push_back({"user", ""});
    spec.linux.uid_mappings = {{0, ::geteuid(), 1}};
    spec.linux.gid_mappings = {{0, ::getegid(), 1}};
    return spec;
  }
  spec.linux.namespaces.push_back({"network", ""});
  spec.linux.namespaces.push_back({"cgroup", ""});
  spec.mounts[2].options.push_back("gid=5");
  spec.mounts.push_back(MountOf("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
  spec.linux.resources.emplace();
  oci::DeviceCgroup none;
  none.access = "rwm";
  spec.linux.resources->devices = {none};
  return spec;
}

}  // namespace

Result<int> SpecCommand(const Options& options) {
  const std::string path = options.bundle + "/config.json",
                    text = oci::WriteSpec(Template(options.rootless), true) + "\n";
  // What is there is somebody's work.
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666));
  if (file.get() == -EEXIST)
    return Error(Code::kRefused, path + " exists: it is left as it is").WithHint("remove it, or give another --bundle");
  if (!file.valid()) return sys::SystemError("make " + path, -file.get());
  const long size = sys::Write(file.get(), text.data(), text.size());
  if (size != static_cast<long>(text.size()))
    return sys::SystemError("write " + path, size < 0 ? static_cast<int>(-size) : ENOSPC);
  return 0;
}

}  // namespace mxc::runtime
