#include "linux_runtime/sandbox/parent_process.h"

#include <string>

#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/process.h"

namespace mxc::sandbox {
namespace {

Result<void> SetOomScore(int pid, const std::string& score) {
  const std::string path = "/proc/" + std::to_string(pid) + "/oom_score_adj";
  const std::string what = "/process/oomScoreAdj: write " + score + " to " + path;
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY));
  if (!file.valid()) return sys::SystemError(what, -file.get());
  long written = sys::Write(file.get(), score.data(), score.size());
  if (written >= 0) return {};
  Error failure = sys::SystemError(what, static_cast<int>(-written));
  if (written == -EACCES) return std::move(failure).WithHint("a score below the caller's own takes CAP_SYS_RESOURCE");
  return failure;
}

Result<void> RaiseLimits(const Plan& plan, int pid) {
  for (const Rlimit& limit : plan.rlimits) {
    rlimit64 now{};
    if (int error = sys::Prlimit(pid, limit.resource, nullptr, &now); error < 0)
      return sys::SystemError("read the container's limits", -error);
    if (limit.hard <= now.rlim_max) continue;
    rlimit64 wanted{now.rlim_cur, limit.hard};
    if (int error = sys::Prlimit(pid, limit.resource, &wanted, nullptr); error < 0) {
      return sys::SystemError("/process/rlimits: raise the hard limit " + std::string(RlimitName(limit.resource)) +
                                  " from " + std::to_string(now.rlim_max) + " to " + std::to_string(limit.hard),
                              -error);
    }
  }
  return {};
}

Result<void> MoveDevices(const ProcessPlan& process, int pid) {
  const std::string path =
      process.network_path.empty() ? "/proc/" + std::to_string(pid) + "/ns/net" : process.network_path;
  sys::UniqueFd netns(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!netns.valid()) return sys::SystemError("/linux/netDevices: open " + path, -netns.get());
  return network::MoveNetDevices(process.net_devices, netns.get());
}

}  // namespace

Result<void> ApplyFromOutside(const Plan& plan, int pid) {
  const bool by_joiner = !plan.bundle.joins.empty();
  if (!plan.process.oom_score_adj.empty() && !by_joiner) MXC_TRY(SetOomScore(pid, plan.process.oom_score_adj));
  if (plan.process.raise_limits) MXC_TRY(RaiseLimits(plan, pid));
  if (plan.process.rdt) MXC_TRY(JoinIntelRdt(*plan.process.rdt, pid));
  return plan.process.net_devices.empty() ? Result<void>() : MoveDevices(plan.process, pid);
}

}  // namespace mxc::sandbox
