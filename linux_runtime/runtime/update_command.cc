#include "linux_runtime/container/container.h"
#include "linux_runtime/runtime/commands.h"
#include "shared/oci/json.h"
#include "shared/oci/validate_linux.h"

namespace mxc::runtime {
namespace {

oci::Resources FromOptions(const UpdateOptions& options) {
  oci::Resources resources;
  resources.memory.limit = options.memory;
  resources.memory.reservation = options.memory_reservation;
  resources.memory.swap = options.memory_swap;
  resources.memory.kernel = options.kernel_memory;
  resources.memory.kernel_tcp = options.kernel_memory_tcp;
  resources.cpu.period = options.cpu_period;
  resources.cpu.quota = options.cpu_quota;
  resources.cpu.burst = options.cpu_burst;
  resources.cpu.shares = options.cpu_shares;
  resources.cpu.realtime_period = options.cpu_rt_period;
  resources.cpu.realtime_runtime = options.cpu_rt_runtime;
  resources.cpu.idle = options.cpu_idle;
  resources.cpu.cpus = options.cpuset_cpus;
  resources.cpu.mems = options.cpuset_mems;
  resources.pids.limit = options.pids_limit;
  resources.block_io.weight = options.blkio_weight;
  return resources;
}

}  // namespace

Result<int> UpdateCommand(const Context& context) {
  const UpdateOptions& options = context.options.update;
  container::Container container = MXC_TRY(container::Container::LoadLocked(context.store, context.options.id));
  if (MXC_TRY(container.ReadStatus()) == container::Status::kStopped) {
    return Error(Code::kRefused, "container not running: " + context.options.id);
  }
  oci::Resources resources = FromOptions(options);
  if (!options.resources.empty()) {
    resources = MXC_TRY(oci::ReadResources(MXC_TRY(ReadInput(options.resources)), options.resources));
  }
  MXC_TRY(oci::ValidateResources(resources));
  cgroup::BundleGroup group = MXC_TRY(container.OpenGroup());
  if (!group.exists())
    return Error(Code::kUnsupported, "update " + context.options.id + ": the container has no cgroup");
  MXC_TRY(group.Update(resources));
  return 0;
}

}  // namespace mxc::runtime
