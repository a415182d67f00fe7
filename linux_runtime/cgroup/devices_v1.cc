#include "linux_runtime/cgroup/devices_v1.h"

#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {
namespace {

Result<void> WriteRules(const Directory& group, const char* file, const std::vector<std::string>& rules) {
  if (rules.empty()) return {};
  int error = 0;
  int taken = group.WriteEach(file, rules, error);
  if (taken == static_cast<int>(rules.size())) return {};
  if (taken < 0) return sys::SystemError("linux.resources.devices: open " + group.path() + "/" + file, -taken);
  Error failed = sys::SystemError(
      "linux.resources.devices: write '" + rules[static_cast<size_t>(taken)] + "' to " + group.path() + "/" + file,
      error);
  return std::move(failed).WithHint("a group above may allow less, or the caller is not root of the host");
}

// The exceptions of `table` that `other` doesn't have.
std::vector<std::string> Missing(const DeviceTable& table, const DeviceTable& other) {
  DeviceTable missing;
  for (const auto& [key, access] : table.exceptions) {
    auto found = other.exceptions.find(key);
    uint8_t had = found == other.exceptions.end() ? uint8_t{0} : found->second;
    if ((access & ~had) != 0) missing.exceptions[key] = static_cast<uint8_t>(access & ~had);
  }
  return missing.Lines();
}

}  // namespace

Result<void> SetDevicesV1(const Directory& group, const DeviceTable& table, bool in_use) {
  if (in_use && !table.allow_by_default) {
    DeviceTable now = ParseDeviceList(MXC_TRY(group.ReadAll("devices.list")));
    if (!now.allow_by_default) {
      MXC_TRY(WriteRules(group, "devices.allow", Missing(table, now)));
      return WriteRules(group, "devices.deny", Missing(now, table));
    }
  }
  const char* first = table.allow_by_default ? "devices.allow" : "devices.deny";
  const char* then = table.allow_by_default ? "devices.deny" : "devices.allow";
  MXC_TRY(WriteRules(group, first, {"a"}));
  return WriteRules(group, then, table.Lines());
}

}  // namespace mxc::cgroup
