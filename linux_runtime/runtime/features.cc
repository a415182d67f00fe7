// `features`: what this runtime can do, whatever the host (runtime-spec features.md and features-linux.md).
#include <seccomp.h>

#include <nlohmann/json.hpp>

#include "linux_runtime/runtime/commands.h"
#include "linux_runtime/runtime/version.h"
#include "linux_runtime/sandbox/mount_options.h"
#include "shared/base/version.h"
#include "shared/oci/names.h"

namespace mxc::runtime {
namespace {

using Json = nlohmann::ordered_json;

// Each name of the list that `known` takes, with its prefix.
template <class Known>
Json Those(const char* prefix, std::initializer_list<const char*> names, Known known) {
  Json list = Json::array();
  for (const char* name : names) {
    const std::string full = std::string(prefix) + name;
    if (known(full)) list.push_back(full);
  }
  return list;
}

Json Capabilities() {
  Json list = Json::array();
  for (std::string_view name : oci::CapabilityNames()) list.push_back("CAP_" + std::string(name));
  return list;
}

// One that is no file system's own.
bool IsMountOption(const std::string& name) {
  for (const char* type : {"bind", "tmpfs"}) {
    oci::Mount mount;
    mount.type = type;
    mount.options = {name};
    Result<sandbox::ParsedOptions> parsed = sandbox::ParseMountOptions(mount, false);
    if (parsed.ok() && parsed->data.empty()) return true;
  }
  return false;
}

Json MountOptions() {
  return Those("",
               {"acl",
                "async",
                "atime",
                "bind",
                "copy-symlink",
                "defaults",
                "dest-nofollow",
                "dev",
                "diratime",
                "dirsync",
                "exec",
                "iversion",
                "idmap",
                "lazytime",
                "loud",
                "mand",
                "noacl",
                "noatime",
                "nodev",
                "nodiratime",
                "noexec",
                "noiversion",
                "nolazytime",
                "nomand",
                "norelatime",
                "nostrictatime",
                "nosuid",
                "nosymfollow",
                "private",
                "ratime",
                "rbind",
                "rdev",
                "rdiratime",
                "relatime",
                "remount",
                "rexec",
                "ridmap",
                "rnoatime",
                "rnodev",
                "rnodiratime",
                "rnoexec",
                "rnorelatime",
                "rnostrictatime",
                "rnosuid",
                "rnosymfollow",
                "ro",
                "rprivate",
                "rrelatime",
                "rro",
                "rrw",
                "rshared",
                "rslave",
                "rstrictatime",
                "rsuid",
                "rsymfollow",
                "runbindable",
                "rw",
                "shared",
                "silent",
                "slave",
                "src-nofollow",
                "strictatime",
                "suid",
                "symfollow",
                "sync",
                "tmpcopyup",
                "unbindable"},
               IsMountOption);
}

Json Seccomp() {
  Json seccomp;
  seccomp["enabled"] = true;
  seccomp["actions"] =
      Those("SCMP_ACT_", {"ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "TRACE", "TRAP"},
            oci::IsSeccompAction);
  seccomp["operators"] = Those("SCMP_CMP_", {"EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"}, oci::IsSeccompOperator);
  seccomp["archs"] = Json::array({"SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_X86_64"});
  seccomp["knownFlags"] =
      Those("SECCOMP_FILTER_FLAG_", {"TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"}, oci::IsSeccompFlag);
  seccomp["supportedFlags"] = seccomp["knownFlags"];
  return seccomp;
}

Json Enabled(bool on) { return Json{{"enabled", on}}; }

}  // namespace

std::string VersionText() {
  return std::string("mxc-runtime version ") + kVersion + "\nspec: " + kSpecVersion +
         "\nlibseccomp: " + std::to_string(SCMP_VER_MAJOR) + "." + std::to_string(SCMP_VER_MINOR) + "." +
         std::to_string(SCMP_VER_MICRO) + "\n";
}

std::string Features() {
  Json json;
  json["ociVersionMin"] = "1.0.0";
  json["ociVersionMax"] = kSpecVersion;
  json["hooks"] =
      Json::array({"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"});
  json["mountOptions"] = MountOptions();
  Json& linux_part = json["linux"];
  linux_part["namespaces"] = Json::array({"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"});
  linux_part["capabilities"] = Capabilities();
  linux_part["cgroup"] = {{"v1", true}, {"v2", true}, {"systemd", true}, {"systemdUser", true}, {"rdma", true}};
  linux_part["seccomp"] = Seccomp();
  linux_part["apparmor"] = Enabled(true);
  linux_part["selinux"] = Enabled(true);
  linux_part["intelRdt"] = Enabled(true);
  linux_part["mountExtensions"] = {{"idmap", Enabled(true)}};
  json["annotations"] = {
      {"io.github.seccomp.libseccomp.version",
       std::to_string(SCMP_VER_MAJOR) + "." + std::to_string(SCMP_VER_MINOR) + "." + std::to_string(SCMP_VER_MICRO)}};
  json["potentiallyUnsafeConfigAnnotations"] = Json::array({"dev.mxc.", "org.systemd.property.", "run.oci."});
  return json.dump(2) + "\n";
}

}  // namespace mxc::runtime
