#include "linux_runtime/cgroup/devices_v2.h"

#include <fcntl.h>

#include <cstring>

#include "linux_runtime/cgroup/device_program.h"
#include "linux_runtime/sys/bpf.h"
#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {
namespace {

// By which a later update knows its predecessor. At most 15 bytes.
constexpr char kProgramName[] = "mxc_devices";

Result<sys::UniqueFd> Load(const std::vector<bpf_insn>& code) {
  auto count = static_cast<uint32_t>(code.size());
  int program = sys::BpfLoadDevices(code.data(), count, kProgramName, nullptr, 0);
  if (program >= 0) return sys::UniqueFd(program);
  Error error = sys::SystemError("linux.resources.devices: load the program that checks devices", -program);
  if (program != -EINVAL && program != -EACCES) return error;
  // Once more for the verifier's words, of which the last are the reason.
  std::string log(65536, '\0');
  if (int again = sys::BpfLoadDevices(code.data(), count, kProgramName, log.data(), static_cast<uint32_t>(log.size()));
      again >= 0) {
    return sys::UniqueFd(again);
  }
  log.resize(std::strlen(log.c_str()));
  if (log.size() > 200) log.erase(0, log.size() - 200);
  return log.empty() ? std::move(error) : std::move(error).WithHint("the kernel's verifier says: " + log);
}

// The program that an earlier call attached; an invalid descriptor when there is none.
Result<sys::UniqueFd> FindOurs(int group, const Directory& directory) {
  uint32_t ids[64];
  uint32_t count = 64;
  int result = sys::BpfQueryDevices(group, ids, &count);
  if (result < 0) return sys::SystemError("linux.resources.devices: list the programs of " + directory.path(), -result);
  for (uint32_t i = 0; i < count; ++i) {
    sys::UniqueFd program(sys::BpfProgramById(ids[i]));
    bpf_prog_info info;
    if (!program.valid() || sys::BpfProgramInfo(program.get(), &info) < 0) continue;
    if (std::strncmp(info.name, kProgramName, sizeof info.name) == 0) return program;
  }
  return sys::UniqueFd();
}

}  // namespace

Result<void> SetDevicesV2(const Directory& group, const std::vector<DeviceRule>& rules) {
  sys::UniqueFd program = MXC_TRY(Load(DeviceProgram(rules)));
  sys::UniqueFd directory = MXC_TRY(group.OpenFile(".", O_RDONLY | O_DIRECTORY));
  sys::UniqueFd ours = MXC_TRY(FindOurs(directory.get(), group));
  int result = sys::BpfAttachDevices(directory.get(), program.get(), ours.get());
  if (result == 0) return {};
  return sys::SystemError("linux.resources.devices: attach the program that checks devices to " + group.path(),
                          -result);
}

}  // namespace mxc::cgroup
