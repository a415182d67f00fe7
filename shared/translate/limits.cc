#include "shared/translate/limits.h"

#include <algorithm>
#include <cmath>

#include "shared/translate/origin_text.h"

namespace mxc::translate {
namespace {

// The kernel's default; a longer one lets a busy program stand still for longer at a time.
constexpr uint64_t kCpuPeriod = 100'000;
constexpr int64_t kLeastQuota = 1000;

int64_t Clamp(uint64_t value) { return static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)); }

uint64_t SumCapped(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

class Limits {
 public:
  Limits(const policy::EffectivePolicy& policy, const HostFacts& facts, oci::Spec& spec, oci::Extension& extension,
         std::vector<std::string>& notes)
      : policy_(policy), facts_(facts), limits_(*policy.resources), spec_(spec), extension_(extension), notes_(notes) {}

  Result<void> Add() {
    MXC_TRY(AddMemory());
    MXC_TRY(AddPids());
    MXC_TRY(AddCpu());
    MXC_TRY(AddRlimit("openFiles", "RLIMIT_NOFILE", limits_.open_files));
    MXC_TRY(AddRlimit("core", "RLIMIT_CORE", limits_.core_bytes.value_or(0)));
    MXC_TRY(AddRlimit("fileSize", "RLIMIT_FSIZE", limits_.file_bytes));
    MXC_TRY(AddRlimit("memlock", "RLIMIT_MEMLOCK", limits_.memlock_bytes));
    return AddRlimit("stack", "RLIMIT_STACK", limits_.stack_bytes);
  }

 private:
  bool Named(std::string_view field) const {
    return std::find(policy_.named_limits.begin(), policy_.named_limits.end(), field) != policy_.named_limits.end();
  }

  oci::Resources& resources() {
    if (!spec_.linux.resources) spec_.linux.resources.emplace();
    return *spec_.linux.resources;
  }

  Error Unenforceable(const std::string& field, std::string why, std::string hint) const {
    const policy::Origin& origin = policy_.resources.origin;
    return Error(Code::kUnsupported, "limit x-linux.resources." + field + ": " + why)
        .WithHint(std::move(hint))
        .WithPosition(PositionOf(origin));
  }

  Error NoController(const std::string& field, const std::string& controller) const {
    return Unenforceable(field, "this host gives the caller no cgroup with the " + controller + " controller",
                         facts_.cgroup.layout == CgroupLayout::kV2
                             ? "run as root, or have systemd delegate it (Delegate=yes); mxc doctor shows what is there"
                             : "run as root, or boot with cgroup v2 and systemd; mxc doctor shows what is there");
  }

  Result<void> AddMemory() {
    if (!limits_.memory_bytes && !limits_.swap_bytes) return {};
    if (facts_.cgroup.Has("memory")) {
      oci::MemoryResources& memory = resources().memory;
      if (limits_.memory_bytes) memory.limit = Clamp(*limits_.memory_bytes);
      // OCI's swap is memory and swap together.
      if (limits_.memory_bytes && limits_.swap_bytes)
        memory.swap = Clamp(SumCapped(*limits_.memory_bytes, *limits_.swap_bytes));
      if (Named("memory") || Named("swap")) extension_.named_limits.emplace_back("memory");
      return {};
    }
    for (const char* field : {"memory", "swap"}) {
      if (Named(field)) return NoController(field, "memory");
    }
    if (!limits_.memory_bytes) return {};
    // RLIMIT_DATA and not RLIMIT_AS: address space is reserved by the terabyte (Go, Java, sanitizers) without being used.
    MXC_TRY(AddRlimit("memory", "RLIMIT_DATA", limits_.memory_bytes));
    notes_.emplace_back(
        "weaker default: memory is limited for each process and not in sum (RLIMIT_DATA; no memory cgroup here)");
    return {};
  }

  Result<void> AddPids() {
    if (!limits_.pids) return {};
    if (facts_.cgroup.Has("pids")) {
      resources().pids.limit = Clamp(*limits_.pids);
      if (Named("pids")) extension_.named_limits.emplace_back("pids");
      return {};
    }
    if (Named("pids")) return NoController("pids", "pids");
    MXC_TRY(AddRlimit("pids", "RLIMIT_NPROC", limits_.pids));
    notes_.emplace_back(
        "weaker default: processes are counted with all others of the user (RLIMIT_NPROC; no pids cgroup here)");
    return {};
  }

  Result<void> AddCpu() {
    if (!limits_.cpus) return {};
    if (facts_.cgroup.Has("cpu")) {
      oci::CpuResources& cpu = resources().cpu;
      cpu.period = kCpuPeriod;
      cpu.quota =
          std::max(kLeastQuota, static_cast<int64_t>(std::llround(std::min(*limits_.cpus, 1e9) * double(kCpuPeriod))));
      if (Named("cpus")) extension_.named_limits.emplace_back("cpu");
      return {};
    }
    if (Named("cpus")) return NoController("cpus", "cpu");
    notes_.emplace_back("weaker default: processor time is not limited (no cpu cgroup here)");
    return {};
  }

  // Soft and hard alike: what a program may raise is no limit.
  Result<void> AddRlimit(const char* field, const char* type, std::optional<uint64_t> value) {
    if (!value) return {};
    uint64_t limit = *value;
    auto hard = facts_.hard_limits.find(type);
    if (hard != facts_.hard_limits.end() && limit > hard->second && !facts_.raises_limits) {
      if (Named(field)) {
        return Unenforceable(
            field,
            std::string(type) + " can't be raised above the caller's hard limit of " + std::to_string(hard->second),
            "raise the hard limit (limits.conf(5), LimitNOFILE= and its like), or ask for less");
      }
      limit = hard->second;
      notes_.push_back(std::string("tighter: ") + type + " stays at the caller's hard limit of " +
                       std::to_string(limit));
    }
    spec_.process->rlimits.push_back({type, limit, limit});
    return {};
  }

  const policy::EffectivePolicy& policy_;
  const HostFacts& facts_;
  const policy::Resources& limits_;
  oci::Spec& spec_;
  oci::Extension& extension_;
  std::vector<std::string>& notes_;
};

}  // namespace

Result<void> AddLimits(const policy::EffectivePolicy& policy, const HostFacts& facts, oci::Spec& spec,
                       oci::Extension& extension, std::vector<std::string>& notes) {
  return Limits(policy, facts, spec, extension, notes).Add();
}

}  // namespace mxc::translate
