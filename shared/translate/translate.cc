#include "shared/translate/translate.h"

#include <algorithm>

#include "shared/translate/generated_files.h"
#include "shared/translate/limits.h"
#include "shared/translate/origin_text.h"
#include "shared/translate/path_layout.h"

namespace mxc::translate {
namespace {

using policy::EffectivePolicy;

// What the kernel shows in /proc about the whole machine or lets root change, as Docker and podman hide it. /sys entries
// are listed by AddSysMasks, since most sandboxes have no /sys.
constexpr const char* kMaskedPaths[] = {"/proc/acpi",       "/proc/asound",        "/proc/interrupts",  "/proc/kcore",
                                        "/proc/keys",       "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
                                        "/proc/timer_list", "/proc/timer_stats"};
constexpr const char* kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
constexpr const char* kMaskedSysPaths[] = {"/sys/firmware", "/sys/devices/virtual/powercap", "/sys/fs/selinux"};
constexpr const char* kNamespaces[] = {"user", "mount", "pid", "network", "ipc", "uts", "cgroup"};

template <class T>
Error Unsupported(const policy::Sourced<T>& field, std::string message, std::string hint) {
  return Error(Code::kUnsupported, std::move(message)).WithHint(std::move(hint)).WithPosition(PositionOf(field.origin));
}

Result<void> CheckHost(const EffectivePolicy& policy, const HostFacts& facts) {
  if (!facts.user_namespaces && !facts.root) {
    return Error(Code::kUnsupported, "make a sandbox: this host lets only root make user namespaces")
        .WithHint(
            "run as root, or set kernel.unprivileged_userns_clone=1 and "
            "kernel.apparmor_restrict_unprivileged_userns=0");
  }
  if (*policy.egress == policy::Default::kAllow && policy.egress_rules.empty()) {
    return Unsupported(policy.egress, "/network/egress: allow: the rules behind it were not compiled",
                       "set it to \"deny\", or resolve the policy anew");
  }
  const bool connected = !policy.egress_rules.empty() || !policy.name_rules.empty() || !policy.port_rules.empty();
  if (connected && *policy.identity == policy::Identity::kHostRoot) {
    return Unsupported(
        policy.identity,
        "x-linux.identity \"host-root\": network rules need a user namespace, so that nothing inside owns them",
        "leave it at \"caller\"");
  }
  for (const network::Rule& rule : policy.egress_rules) {
    if (facts.root || facts.link_missing.empty() || !rule.allow || rule.transport == network::Transport::kTcp) continue;
    return Unsupported(
        policy.egress,
        "/network/egress: " + rule.origin + ": without root only TCP can be let out here: " + facts.link_missing,
        "name the protocol: \"ports\": [{\"protocol\": \"tcp\"}], use x-linux.domains, see `mxc doctor`, or run as "
        "root");
  }
  if (policy.port_rules.empty()) {
    constexpr char kWhichPorts[] =
        "name the ports: {\"x-linux\": {\"ports\": [{\"containerPort\": 8080}]}}, or set it to \"deny\"";
    if (*policy.ingress == policy::Default::kAllow) {
      return Unsupported(policy.ingress, "\"allow\" alone opens nothing: a port is reached where it is shared",
                         kWhichPorts);
    }
    if (*policy.host_loopback == policy::Default::kAllow) {
      return Unsupported(policy.host_loopback, "\"allow\" alone opens nothing: a port is reached where it is shared",
                         kWhichPorts);
    }
  }
  for (const network::PortRule& rule : policy.port_rules) {
    if (rule.transport == network::Transport::kTcp) continue;
    return Error(Code::kUnsupported, rule.origin + ": only TCP ports can be shared yet").WithHint("write \"tcp\"");
  }
  if (*policy.identity == policy::Identity::kHostRoot && !facts.root) {
    return Unsupported(policy.identity, "x-linux.identity \"host-root\": only root has the host's ids to give",
                       "leave it at \"caller\": files written inside are the caller's");
  }
  if (*policy.gpu == policy::Gpu::kWsl && !facts.wsl.gpu) {
    return Unsupported(policy.gpu, "x-linux.gpu \"wsl\": this host has no /dev/dxg, by which WSL shares the GPU",
                       "take the field out, or see `wsl --update` and the GPU's driver on Windows");
  }
  if (*policy.time_namespace && !facts.time_namespaces) {
    return Unsupported(policy.time_namespace, "x-linux.timeNamespace: this kernel has no time namespaces",
                       "take the field out, or use Linux 5.6 or later with CONFIG_TIME_NS");
  }
  return {};
}

// What WSL shares of the GPU: the device, and the driver's libraries, which Windows keeps in step with its own.
void AddGpu(const EffectivePolicy& policy, const PathLayout& layout, oci::Spec& spec, std::vector<std::string>& notes) {
  if (*policy.gpu != policy::Gpu::kWsl) return;
  constexpr char kDevice[] = "/dev/dxg", kDrivers[] = "/usr/lib/wsl";
  constexpr std::string_view kVariable = "LD_LIBRARY_PATH=", kLibraries = "/usr/lib/wsl/lib";
  auto bind = [&](const char* path, oci::Strings options) {
    oci::Mount& mount = spec.mounts.emplace_back();
    mount.destination = mount.source = path;
    mount.type = "bind";
    mount.options = std::move(options);
  };
  bind(kDevice, {"bind", "rw", "nosuid", "noexec", "rprivate"});
  if (!layout.ShowsHost(kDrivers)) bind(kDrivers, {"rbind", "rro", "nosuid", "nodev", "rprivate"});
  oci::Strings& env = spec.process->env;
  const auto set =
      std::find_if(env.begin(), env.end(), [&](const std::string& entry) { return entry.starts_with(kVariable); });
  std::string value(kVariable);
  value.append(kLibraries);
  if (set == env.end()) {
    env.push_back(std::move(value));
  } else if (*set != value) {
    *set = value.append(":").append(*set, kVariable.size());
  }
  notes.emplace_back("weaker: gpu: the sandbox talks to the GPU's drivers of Windows, which nothing here filters");
}

Result<void> AddProcess(const EffectivePolicy& policy, const HostFacts& facts, const PathLayout& layout,
                        oci::Spec& spec) {
  oci::Process& process = spec.process.emplace();
  process.args = *policy.argv;
  process.user.uid = facts.caller.uid;
  process.user.gid = facts.caller.gid;
  process.capabilities.emplace();
  process.no_new_privileges = true;
  process.rlimits.reserve(8);

  process.env.reserve(policy.env.size() + policy.env_pass.size());
  for (const auto& entry : policy.env) process.env.push_back(*entry);
  for (const auto& name : policy.env_pass) {
    auto value = facts.caller.env.find(*name);
    if (value == facts.caller.env.end()) continue;
    bool set = std::any_of(process.env.begin(), process.env.end(), [&](const std::string& entry) {
      return entry.size() > name.value.size() && entry[name.value.size()] == '=' && entry.starts_with(*name);
    });
    if (!set) process.env.push_back(*name + '=' + value->second);
  }

  if (const std::optional<std::string>& wanted = *policy.cwd) {
    if (!layout.CanEnter(*wanted)) {
      return Error(Code::kInvalid, "start in " + *wanted + ": the sandbox doesn't show this folder")
          .WithHint("grant it (filesystem.readonlyPaths or readwritePaths), or take cwd out")
          .WithPosition(PositionOf(policy.cwd.origin));
    }
    process.cwd = *wanted;
  } else {
    const std::string& here = facts.caller.cwd;
    process.cwd = here.starts_with('/') && layout.ShowsHost(here) ? here : "/";
  }
  return {};
}

Result<void> AddSeccomp(const EffectivePolicy& policy, FindSeccomp find, oci::Spec& spec) {
  const std::string& wanted = *policy.seccomp_profile;
  // Only this list lets programs inside make namespaces and mounts; without it `nesting` would be an empty word.
  constexpr char kNesting[] = "nesting";
  if (*policy.nesting && wanted != "default" && wanted != kNesting) {
    return Unsupported(policy.seccomp_profile,
                       "x-linux.nesting: the seccomp profile " + wanted + " forbids namespaces and mounts inside",
                       "set x-linux.seccomp.profile to nesting, or nesting to false");
  }
  std::string_view name = *policy.nesting ? std::string_view(kNesting) : std::string_view(wanted);
  const oci::LinuxSeccomp* list = find(name);
  if (list == nullptr) {
    return Error(Code::kNotFound, "no seccomp profile is named \"" + std::string(name) + "\"")
        .WithHint("mxc profiles lists the names")
        .WithPosition(PositionOf(policy.seccomp_profile.origin));
  }
  // No owner: FindSeccomp's lists outlive the specification.
  spec.linux.seccomp = std::shared_ptr<const oci::LinuxSeccomp>(std::shared_ptr<void>(), list);
  return {};
}

Result<void> AddLandlock(const EffectivePolicy& policy, const HostFacts& facts, oci::Extension& extension,
                         std::vector<std::string>& notes) {
  bool ports = policy.tcp_bind || policy.tcp_connect;
  if (facts.landlock_abi == 0 && *policy.landlock_required) {
    return Unsupported(policy.landlock_required, "x-linux.landlock.required: this kernel has no Landlock",
                       "use Linux 5.13 or later with landlock among its security modules (lsm=)");
  }
  // LANDLOCK_ACCESS_NET_* came with ABI 4, Linux 6.7.
  if (facts.landlock_abi < 4 && ports) {
    return Unsupported(
        policy.landlock_required,
        "x-linux.landlock.tcpBind, tcpConnect: this kernel's Landlock (ABI " + std::to_string(facts.landlock_abi) +
            ") handles no TCP",
        "use Linux 6.7 or later, or take the fields out: without a network only the sandbox's own loopback is there");
  }
  oci::LandlockSpec& landlock = extension.landlock.emplace();
  landlock.enabled = facts.landlock_abi > 0;
  landlock.required = *policy.landlock_required;
  landlock.files = !*policy.nesting;
  landlock.tcp_bind = policy.tcp_bind;
  landlock.tcp_connect = policy.tcp_connect;
  if (!landlock.enabled) notes.emplace_back("weaker: this kernel has no Landlock, so paths rest on mounts alone");
  if (*policy.nesting) {
    notes.emplace_back(
        "weaker: nesting is on, so Landlock handles no files and paths rest on mounts alone, and a program "
        "that makes mounts can get around the protection of start-up files and git hooks");
  }
  return {};
}

void AddNamespaces(const EffectivePolicy& policy, oci::Linux& os, std::vector<std::string>& notes) {
  const bool host_ids = *policy.identity == policy::Identity::kHostRoot;
  os.namespaces.reserve(std::size(kNamespaces) + 1);
  for (std::string_view type : kNamespaces) {
    if (host_ids && type == "user") continue;
    os.namespaces.push_back({std::string(type), ""});
  }
  if (host_ids) {
    notes.emplace_back("weaker: identity is host-root, so uid 0 inside is the host's, without its capabilities");
  }
  if (*policy.time_namespace) os.namespaces.push_back({"time", ""});
}

// Mapping uid 0 into a nested user namespace takes CAP_SETFCAP (Linux 5.12), which nobody has inside; so where sandboxes
// are to be made inside, root is an ordinary user there.
HostFacts Inside(const EffectivePolicy& policy, const HostFacts& facts) {
  HostFacts inside = facts;
  if (!*policy.nesting || facts.caller.uid != 0 || *policy.identity == policy::Identity::kHostRoot) return inside;
  inside.caller.uid = inside.caller.gid = 1000;
  inside.caller.user = inside.caller.group = "user";
  return inside;
}

// Nested sandboxes mount a /proc of their own, which the kernel refuses while parts of the one they see are covered; and
// who may do that can look under the masks anyway. What they hide belongs to the host's root, who is nobody inside.
void AddMasks(const EffectivePolicy& policy, const PathLayout& layout, oci::Linux& os,
              std::vector<std::string>& notes) {
  if (*policy.nesting) {
    notes.emplace_back(
        "weaker: nesting is on, so nothing in /proc is masked; what is there belongs to the host's root");
    return;
  }
  os.masked_paths.assign(std::begin(kMaskedPaths), std::end(kMaskedPaths));
  for (const char* path : kMaskedSysPaths) {
    if (layout.ShowsHost(path)) os.masked_paths.emplace_back(path);
  }
  os.readonly_paths.assign(std::begin(kReadonlyPaths), std::end(kReadonlyPaths));
}

oci::Identity IdentityOf(policy::Identity identity) {
  return identity == policy::Identity::kHostRoot ? oci::Identity::kHostRoot : oci::Identity::kCaller;
}

oci::OnExposed OnExposedOf(policy::OnExposed on_exposed) {
  return on_exposed == policy::OnExposed::kKill ? oci::OnExposed::kKill : oci::OnExposed::kCover;
}

oci::OnMissing OnMissingOf(policy::OnMissing on_missing) {
  switch (on_missing) {
    case policy::OnMissing::kRefuse:
      return oci::OnMissing::kRefuse;
    case policy::OnMissing::kSeal:
      return oci::OnMissing::kSeal;
    case policy::OnMissing::kWatch:
      break;
  }
  return oci::OnMissing::kWatch;
}

}  // namespace

Result<Translation> Translate(const EffectivePolicy& policy, const HostFacts& facts, FindSeccomp find_seccomp) {
  MXC_TRY(CheckHost(policy, facts));
  Translation translation;
  oci::Spec& spec = translation.spec;
  oci::Extension& extension = translation.extension;

  spec.oci_version = "1.2.0";
  spec.hostname = *policy.hostname;
  const std::optional<std::string>& rootfs = *policy.rootfs;
  spec.root = oci::Root{rootfs ? *rootfs : std::string(oci::kEmptyRootPath), true};
  extension.empty_root = !rootfs;

  AddOwnMounts(policy, spec.mounts);
  PathLayout layout(policy);
  MXC_TRY(layout.Write(spec, extension, translation.notes));
  if (extension.empty_root) AddGeneratedFiles(policy, Inside(policy, facts), layout, extension.files);

  MXC_TRY(AddProcess(policy, Inside(policy, facts), layout, spec));
  AddGpu(policy, layout, spec, translation.notes);
  MXC_TRY(AddLimits(policy, facts, spec, extension, translation.notes));
  AddNamespaces(policy, spec.linux, translation.notes);
  MXC_TRY(AddSeccomp(policy, find_seccomp, spec));
  AddMasks(policy, layout, spec.linux, translation.notes);
  MXC_TRY(AddLandlock(policy, facts, extension, translation.notes));

  extension.on_exposed = OnExposedOf(*policy.on_exposed);
  extension.on_missing = OnMissingOf(*policy.on_missing);
  extension.identity = IdentityOf(*policy.identity);
  extension.own_session = *policy.own_session;
  // Elsewhere than in WSL there are no drives that could be walked; what stands for one is a folder as any other.
  for (const policy::PathRule& rule : policy.paths) {
    if (facts.wsl.is_wsl && !rule.windows.empty()) extension.windows[rule.path] = rule.windows;
  }
  extension.nesting = *policy.nesting;
  extension.init = true;
  extension.timeout_ms = *policy.timeout_ms;
  extension.network = policy.egress_rules;
  extension.names = policy.name_rules;
  extension.name_sent_bytes = policy.name_sent_bytes;
  extension.ports = policy.port_rules;
  extension.run_name = policy.run_name;
  extension.policy_digest = policy.digest;
  extension.profile = policy.profile;
  oci::WriteExtension(extension, spec.annotations);
  return translation;
}

}  // namespace mxc::translate
