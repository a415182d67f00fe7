#include "linux_runtime/host/doctor.h"

#include <unistd.h>

#include "linux_runtime/host/facts.h"

namespace mxc::host {
namespace {

using translate::CgroupLayout;
using translate::HostFacts;

std::string_view LayoutName(CgroupLayout layout) {
  switch (layout) {
    case CgroupLayout::kNone:
      return "none";
    case CgroupLayout::kV1:
      return "v1";
    case CgroupLayout::kHybrid:
      return "hybrid";
    case CgroupLayout::kV2:
      return "v2";
  }
  return "";
}

std::string Join(const std::vector<std::string>& words, const char* separator = ", ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::string NewerKernel(const HostFacts& facts, const char* version) {
  return facts.wsl.is_wsl ? std::string("in Windows: wsl --update (Linux ") + version + " or newer)"
                          : std::string("boot Linux ") + version + " or newer";
}

Finding Kernel(const HostFacts& facts, const Details& details) {
  Finding finding{Status::kOk, "Kernel", "Linux " + details.release, "", ""};
  if (details.wsl1) {
    finding.status = Status::kMissing;
    finding.gives = "WSL 1 has no Linux kernel, so nothing can be confined";
    finding.advice = "in Windows: wsl --set-version DISTRIBUTION 2";
  } else if (!facts.KernelAtLeast(5, 12)) {
    finding.status = Status::kMissing;
    finding.gives = "too old: mounts can't be made read-only with all that lies below them";
    finding.advice = NewerKernel(facts, "5.15");
  } else if (!facts.KernelAtLeast(6, 3)) {
    finding.status = Status::kWeaker;
    finding.gives =
        "mounts by descriptor; without root, denied paths can't be covered against a container's root (6.3)";
    finding.advice = NewerKernel(facts, "6.3");
  } else {
    finding.gives = "mounts by descriptor, covers for denied paths";
  }
  return finding;
}

Finding Landlock(const HostFacts& facts, const Details& details) {
  Finding finding{Status::kOk, "Landlock", "ABI " + std::to_string(facts.landlock_abi), "", ""};
  if (facts.landlock_abi == 0) {
    finding.status = Status::kMissing;
    finding.found = "not there";
    finding.gives = "mounts alone confine files; policies that require Landlock are refused";
    bool off = facts.KernelAtLeast(5, 13) && !details.lsms.empty();
    finding.advice = off ? "boot with lsm=landlock," + details.lsms : NewerKernel(facts, "6.12");
    return finding;
  }
  struct Step {
    uint32_t abi;
    const char* what;
  };
  static constexpr Step kSteps[] = {{2, "moves between folders"},
                                    {3, "truncation"},
                                    {4, "TCP ports"},
                                    {5, "device ioctls"},
                                    {6, "signals and abstract sockets"}};
  std::vector<std::string> has{"files"}, lacks;
  for (const Step& step : kSteps) (facts.landlock_abi >= step.abi ? has : lacks).push_back(step.what);
  finding.gives = "a second wall behind the mounts: " + Join(has);
  if (!lacks.empty()) {
    finding.status = Status::kWeaker;
    finding.gives += "; not: " + Join(lacks);
    finding.advice = NewerKernel(facts, "6.12");
  }
  return finding;
}

Finding Seccomp(const HostFacts& facts, const Details& details) {
  if (!details.seccomp) {
    return {Status::kMissing, "seccomp", "not there", "system calls can't be filtered, so every run is refused",
            facts.wsl.is_wsl ? "use a kernel with CONFIG_SECCOMP_FILTER (remove kernel= from .wslconfig)"
                             : "use a kernel with CONFIG_SECCOMP_FILTER"};
  }
  return {Status::kOk, "seccomp", details.seccomp_log ? "filters, logging" : "filters",
          "allow-lists of system calls and their arguments", ""};
}

Finding UserNamespaces(const HostFacts& facts, const Details& details) {
  if (details.user_namespace_errno == 0) {
    return {Status::kOk, "User namespaces", "work", "root inside is nobody outside; runs need no root", ""};
  }
  Finding finding{Status::kMissing, "User namespaces", "can't be made", "every run is refused", ""};
  if (details.user_namespaces_off) {
    finding.advice = "as root: sysctl user.max_user_namespaces=15000";
  } else if (!facts.root && details.user_namespaces_root_only) {
    finding.advice = "as root: sysctl kernel.unprivileged_userns_clone=1";
  } else if (!facts.root && details.apparmor_restricts) {
    finding.found = "made without rights by AppArmor";
    finding.advice = "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for mxc";
  } else {
    finding.advice = "this shell may itself be in a container or under a filter that forbids them: run outside it";
  }
  return finding;
}

Finding Namespaces(const Details& details) {
  std::vector<std::string> missing = details.missing_namespaces;
  if (missing.empty())
    return {Status::kOk, "Namespaces", "all eight kinds", "own mounts, processes, network, ids and clocks", ""};
  bool only_time = missing == std::vector<std::string>{"time"};
  return {only_time ? Status::kWeaker : Status::kMissing, "Namespaces", "without " + Join(missing),
          only_time ? "policies that ask for a time namespace are refused" : "every run is refused",
          "use a kernel built with them (CONFIG_NAMESPACES and the kinds below it)"};
}

Finding Ids(const HostFacts& facts, const Details& details) {
  if (facts.root)
    return {Status::kOk, "Ids", "root maps any", "container ids lie in a range that nothing else uses", ""};
  if (facts.maps_several_ids) {
    return {Status::kOk, "Ids", std::to_string(std::min(details.sub_uids, details.sub_gids)) + " by newuidmap",
            "images with several users run without root", ""};
  }
  std::string user = facts.caller.user.empty() ? std::to_string(facts.caller.uid) : facts.caller.user;
  return {Status::kWeaker, "Ids", details.has_newidmap ? "no ranges in /etc/subuid and /etc/subgid" : "no newuidmap",
          "one id only, the caller's; policies that ask for several are refused",
          details.has_newidmap ? "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 " + user
                               : "as root: apt install uidmap"};
}

Finding DeniedPaths(const HostFacts& facts, const Details& details) {
  if (facts.root && details.fanotify_permission) {
    return {Status::kOk, "Denied paths", "fanotify holds opens back", "no moment in which a replaced name is open", ""};
  }
  return {Status::kWeaker, "Denied paths", facts.root ? "no fanotify permission events" : "watched by inotify",
          "a denied name that is replaced from outside is open for some milliseconds, and reported",
          facts.root ? "use a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS"
                     : "run as root, or choose on_exposed: kill where that matters"};
}

Finding Cgroups(const HostFacts& facts, const Details& details) {
  const std::vector<std::string> wanted = {"memory", "pids", "cpu"};
  std::vector<std::string> has, lacks;
  for (const std::string& name : wanted) (facts.cgroup.Has(name) ? has : lacks).push_back(name);
  Finding finding{Status::kOk, "cgroup", std::string(LayoutName(facts.cgroup.layout)), "", ""};
  if (!has.empty()) finding.found += ": " + Join(has);
  if (lacks.empty()) {
    finding.gives = "limits on memory, processes and processor time hold for a sandbox as a whole";
    if (details.swap_accounting == false) {
      finding.status = Status::kWeaker;
      finding.gives += "; swap is not counted, so policies that limit it are refused";
      finding.advice = "boot with swapaccount=1";
    }
    return finding;
  }
  finding.status = has.empty() ? Status::kMissing : Status::kWeaker;
  finding.gives =
      "limits on " + Join(lacks) + " that a policy names are refused; a profile's become rlimits, for each process";
  finding.advice = details.cgroup_why_not;
  return finding;
}

Finding HardLimits(const HostFacts& facts) {
  auto files = facts.hard_limits.find("RLIMIT_NOFILE");
  std::string found =
      files == facts.hard_limits.end() ? "open files unlimited" : "open files up to " + std::to_string(files->second);
  if (facts.raises_limits)
    return {Status::kOk, "Resource limits", found + ", can be raised", "any limit of a policy can be set", ""};
  return {Status::kOk, "Resource limits", found, "limits above the caller's hard ones are refused", ""};
}

Finding Network(const HostFacts& facts, const Details& details) {
  constexpr char kTitle[] = "Network";
  if (!details.network_lacks.empty()) {
    return {Status::kMissing, kTitle, "no " + details.network_lacks,
            "policies whose network rules allow something are refused", "load or build the kernel's modules for it"};
  }
  if (!facts.root && !facts.link_missing.empty()) {
    return {Status::kWeaker, kTitle, "TCP and names; " + facts.link_missing,
            "rules that allow more than TCP are refused",
            "install passt and let the user open /dev/net/tun (chmod 666, as root), or run such policies as root"};
  }
  return {Status::kOk, kTitle, facts.root ? "nf_tables, veth, names" : "nf_tables, pasta, names",
          "rules about addresses, ports, protocols and names hold for each packet; every user of this machine can "
          "connect to a shared port",
          ""};
}

Finding Groups(const Details& details) {
  if (details.dangerous_groups.empty()) {
    return {Status::kOk, "Groups", "none that gives the host away", "the caller's groups add nothing inside", ""};
  }
  std::vector<std::string> names, dangers;
  for (const auto& [name, danger] : details.dangerous_groups) {
    names.push_back(name);
    dangers.push_back(name + " " + danger);
  }
  return {
      Status::kWeaker, "Groups", Join(names), Join(dangers, "; "),
      "nothing inside has them unless the policy keeps them, which is refused without leave; better: leave the groups"};
}

Finding Wsl(const HostFacts& facts, const Details& details) {
  if (details.wsl1)
    return {Status::kMissing, "WSL", "version 1", "no sandbox runs", "in Windows: wsl --set-version DISTRIBUTION 2"};
  if (!facts.wsl.is_wsl) {
    return {Status::kOk, "WSL", "no",
            details.vsock ? "AF_VSOCK is shut for sandboxes all the same" : "no doors to Windows", ""};
  }
  Finding finding{Status::kOk, "WSL", "version 2", "", ""};
  if (!facts.wsl.distribution.empty()) finding.found += ", " + facts.wsl.distribution;
  if (!facts.wsl.networking_mode.empty()) finding.found += ", network " + facts.wsl.networking_mode;
  if (details.wsl_gpu) finding.found += ", GPU by /dev/dxg";
  std::vector<std::string> doors{"AF_VSOCK", "/mnt/c and the other drives", "/mnt/wsl", "/mnt/wslg"};
  if (details.wsl_interop) doors.push_back("starting Windows programs");
  finding.gives = "shut for every sandbox: " + Join(doors);
  return finding;
}

}  // namespace

Report Judge(const HostFacts& facts, const Details& details) {
  Report report;
  constexpr uint64_t kMebibyte = 1 << 20;
  report.host = "Linux " + details.release + (facts.root ? ", as root" : ", without root") + ", " +
                std::to_string(facts.cpus) + (facts.cpus == 1 ? " processor" : " processors");
  if (facts.memory_bytes != 0) report.host += ", " + std::to_string(facts.memory_bytes / kMebibyte) + " MiB";
  report.findings = {Kernel(facts, details),
                     UserNamespaces(facts, details),
                     Namespaces(details),
                     Ids(facts, details),
                     Seccomp(facts, details),
                     Landlock(facts, details),
                     DeniedPaths(facts, details),
                     Cgroups(facts, details),
                     HardLimits(facts),
                     Network(facts, details),
                     Groups(details),
                     Wsl(facts, details)};
  return report;
}

Result<Report> Diagnose() {
  cgroup::Hierarchy hierarchy = cgroup::Hierarchy::Probe();
  HostFacts facts = MXC_TRY(ProbeHost(hierarchy, ::environ));
  return Judge(facts, ProbeDetails(facts, hierarchy));
}

}  // namespace mxc::host
