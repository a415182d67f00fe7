// Inside of limits.h: the settings of one version of cgroups, and what both have in common.
#pragma once

#include <string>
#include <vector>

#include "linux_runtime/cgroup/limits.h"

namespace mxc::cgroup {

inline constexpr uint64_t kDefaultPeriodUs = 100'000;

Result<std::vector<Setting>> SettingsV1(const Limits& limits, Purpose purpose);
Result<std::vector<Setting>> SettingsV2(const Limits& limits, Purpose purpose);

// Collects settings; `field` is added to "linux.resources.".
class SettingList {
 public:
  Setting& Add(Controllers controller, std::string file, std::string value, const char* field);
  std::vector<Setting> Take() && { return std::move(settings_); }

 private:
  std::vector<Setting> settings_;
};

// A number as cgroup files have it; `unlimited` is v1's "-1" or v2's "max".
std::string NumberOr(uint64_t value, const char* unlimited);
// "8:0", as io files name a block device.
std::string DeviceNumber(int64_t major, int64_t minor);
// rdma.max is the same in both versions: one line a device.
void AddRdma(const Limits& limits, SettingList& list);
// An Error for a field that this version has no file for.
Error NotInVersion(const char* field, const char* why);

}  // namespace mxc::cgroup
