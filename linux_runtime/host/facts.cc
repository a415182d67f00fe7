#include "linux_runtime/host/facts.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "linux_runtime/host/texts.h"
#include "linux_runtime/host/wsl.h"
#include "linux_runtime/network/pasta_link.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::host {
namespace {

using translate::HostFacts;

// The initial user namespace has this inode number on every kernel (PROC_USER_INIT_INO of proc_ns.h).
constexpr std::string_view kInitialUserNamespace = "user:[4026531837]";

bool InInitialUserNamespace() {
  char text[64];
  ssize_t size = ::readlink("/proc/self/ns/user", text, sizeof text);
  return size > 0 && std::string_view(text, static_cast<size_t>(size)) == kInitialUserNamespace;
}

bool HasEffective(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  return sys::CapGet(&header, data) == 0 && (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

bool Has(const char* path) { return ::access(path, F_OK) == 0; }

// What the sysctls say; whether the kernel agrees is tried by the doctor only.
bool MayMakeUserNamespaces(bool root) {
  if (ReadInteger("/proc/sys/user/max_user_namespaces").value_or(0) <= 0) return false;
  if (root) return true;
  return ReadInteger("/proc/sys/kernel/unprivileged_userns_clone").value_or(1) != 0 &&
         ReadInteger("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").value_or(0) == 0;
}

bool HasSubids(const char* path, const translate::CallerFacts& caller) {
  auto text = ReadText(path);
  return text && !FindSubids(*text, caller.user, caller.uid).empty();
}

std::map<std::string, uint64_t> HardLimits() {
  static constexpr std::pair<int, const char*> kLimits[] = {
      {RLIMIT_AS, "RLIMIT_AS"},           {RLIMIT_CORE, "RLIMIT_CORE"},
      {RLIMIT_CPU, "RLIMIT_CPU"},         {RLIMIT_DATA, "RLIMIT_DATA"},
      {RLIMIT_FSIZE, "RLIMIT_FSIZE"},     {RLIMIT_LOCKS, "RLIMIT_LOCKS"},
      {RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"}, {RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE"},
      {RLIMIT_NICE, "RLIMIT_NICE"},       {RLIMIT_NOFILE, "RLIMIT_NOFILE"},
      {RLIMIT_NPROC, "RLIMIT_NPROC"},     {RLIMIT_RSS, "RLIMIT_RSS"},
      {RLIMIT_RTPRIO, "RLIMIT_RTPRIO"},   {RLIMIT_RTTIME, "RLIMIT_RTTIME"},
      {RLIMIT_STACK, "RLIMIT_STACK"},     {RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING"},
  };
  std::map<std::string, uint64_t> limits;
  for (auto [resource, name] : kLimits) {
    struct rlimit limit {};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0 && limit.rlim_max != RLIM_INFINITY) {
      limits.emplace_hint(limits.end(), name, limit.rlim_max);
    }
  }
  return limits;
}

uint32_t UsableProcessors() {
  // The kernel refuses a mask smaller than its own; 8192 is the most that it can be built for.
  cpu_set_t sets[8192 / CPU_SETSIZE];
  if (::sched_getaffinity(0, sizeof sets, sets) != 0) return 1;
  return std::max(1, CPU_COUNT_S(sizeof sets, sets));
}

Result<translate::CallerFacts> ProbeCaller(const char* const* environment) {
  translate::CallerFacts caller;
  caller.uid = ::getuid();
  caller.gid = ::getgid();
  for (const char* const* entry = environment; entry != nullptr && *entry != nullptr; ++entry) {
    if (const char* equals = std::strchr(*entry, '='); equals != nullptr && equals != *entry) {
      caller.env.emplace(std::string(*entry, equals), equals + 1);
    }
  }
  auto from_environment = [&](const char* name) {
    auto found = caller.env.find(name);
    return found == caller.env.end() ? std::string() : found->second;
  };
  // passwd first: HOME may point anywhere, while the secrets that profiles deny lie in the real one.
  if (auto passwd = ReadText("/etc/passwd")) {
    if (auto account = FindAccount(*passwd, caller.uid)) {
      caller.user = account->name;
      caller.home = account->home;
    }
  }
  if (caller.user.empty()) caller.user = from_environment("USER");
  if (caller.home.empty()) caller.home = from_environment("HOME");
  if (auto groups = ReadText("/etc/group")) caller.group = FindGroup(*groups, caller.gid);

  char cwd[PATH_MAX];
  if (::getcwd(cwd, sizeof cwd) == nullptr) {
    return sys::SystemError("find the current directory", errno).WithHint("change to a folder that exists");
  }
  caller.cwd = cwd;
  gid_t few[64];
  int count = ::getgroups(64, few);
  if (count >= 0) {
    caller.groups.assign(few, few + count);
  } else {
    std::vector<gid_t> many(NGROUPS_MAX);
    count = ::getgroups(static_cast<int>(many.size()), many.data());
    if (count < 0) return sys::SystemError("read the supplementary groups", errno);
    caller.groups.assign(many.begin(), many.begin() + count);
  }
  return caller;
}

translate::WslFacts ProbeWsl(std::string_view release, const translate::CallerFacts& caller) {
  translate::WslFacts wsl;
  auto distribution = caller.env.find("WSL_DISTRO_NAME");
  if (distribution != caller.env.end()) wsl.distribution = distribution->second;
  wsl.is_wsl = HasSignsOfWsl(release, distribution != caller.env.end() || caller.env.count("WSL_INTEROP") != 0);
  wsl.gpu = ::access("/dev/dxg", F_OK) == 0;
  return wsl;
}

translate::CgroupFacts CgroupsOf(const cgroup::Hierarchy& hierarchy, bool root) {
  translate::CgroupFacts facts;
  switch (hierarchy.version()) {
    case cgroup::Version::kNone:
      facts.layout = translate::CgroupLayout::kNone;
      break;
    case cgroup::Version::kV1:
      facts.layout = translate::CgroupLayout::kV1;
      break;
    case cgroup::Version::kHybrid:
      facts.layout = translate::CgroupLayout::kHybrid;
      break;
    case cgroup::Version::kV2:
      facts.layout = translate::CgroupLayout::kV2;
      break;
  }
  for (cgroup::Controllers bit = 1; bit <= hierarchy.available(); bit <<= 1) {
    if ((hierarchy.available() & bit) != 0) facts.controllers.push_back(cgroup::ControllerNames(bit));
  }
  std::sort(facts.controllers.begin(), facts.controllers.end());
  facts.delegated = !root && hierarchy.delegated();
  return facts;
}

}  // namespace

Result<HostFacts> ProbeHost(const cgroup::Hierarchy& hierarchy, const char* const* environment) {
  HostFacts facts;
  utsname name{};
  if (::uname(&name) != 0) return sys::SystemError("uname", errno);
  auto version = KernelVersion(name.release);
  if (!version)
    return Error(Code::kUnsupported, "read the kernel's version: '" + std::string(name.release) + "' has none");
  std::tie(facts.kernel_major, facts.kernel_minor) = *version;
  facts.landlock_abi = static_cast<uint32_t>(std::max(0, sys::LandlockAbi()));
  bool initial = InInitialUserNamespace();
  facts.root = ::geteuid() == 0 && initial;
  facts.cgroup = CgroupsOf(hierarchy, facts.root);
  facts.user_namespaces = MayMakeUserNamespaces(facts.root);
  facts.time_namespaces = Has("/proc/self/ns/time");
  facts.caller = MXC_TRY(ProbeCaller(environment));
  facts.maps_several_ids =
      facts.root || (Has("/usr/bin/newuidmap") && Has("/usr/bin/newgidmap") && HasSubids("/etc/subuid", facts.caller) &&
                     HasSubids("/etc/subgid", facts.caller));
  facts.raises_limits = initial && HasEffective(CAP_SYS_RESOURCE);
  facts.hard_limits = HardLimits();
  facts.wsl = ProbeWsl(name.release, facts.caller);
  if (!facts.root) facts.link_missing = network::MissingForPasta();
  if (auto resolver = ReadText("/etc/resolv.conf")) facts.nameservers = Nameservers(*resolver);
  facts.cpus = UsableProcessors();
  struct sysinfo memory {};
  if (::sysinfo(&memory) == 0) facts.memory_bytes = uint64_t{memory.totalram} * memory.mem_unit;
  char target[16];
  ssize_t size = ::readlink("/bin", target, sizeof target);
  std::string_view bin(target, size > 0 ? static_cast<size_t>(size) : 0);
  facts.merged_usr = bin == "usr/bin" || bin == "/usr/bin";
  return facts;
}

Result<HostFacts> ProbeHost() { return ProbeHost(cgroup::Hierarchy::Probe(), ::environ); }

}  // namespace mxc::host
