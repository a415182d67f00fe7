#include "linux_runtime/cgroup/settings.h"

namespace mxc::cgroup {

Setting& SettingList::Add(Controllers controller, std::string file, std::string value, const char* field) {
  Setting& setting = settings_.emplace_back();
  setting.controller = controller;
  setting.file = std::move(file);
  setting.value = std::move(value);
  setting.field = std::string("linux.resources.") + field;
  return setting;
}

std::string NumberOr(uint64_t value, const char* unlimited) {
  return value == kUnlimited ? std::string(unlimited) : std::to_string(value);
}

std::string DeviceNumber(int64_t major, int64_t minor) { return std::to_string(major) + ":" + std::to_string(minor); }

void AddRdma(const Limits& limits, SettingList& list) {
  for (const auto& [device, limit] : limits.rdma) {
    std::string line = device;
    if (limit.hca_handles) line += " hca_handle=" + std::to_string(*limit.hca_handles);
    if (limit.hca_objects) line += " hca_object=" + std::to_string(*limit.hca_objects);
    if (line != device) list.Add(kRdma, "rdma.max", line, "rdma");
  }
}

Error NotInVersion(const char* field, const char* why) {
  return Error(Code::kUnsupported, std::string("linux.resources.") + field + ": cgroup v2 has no file for it: " + why)
      .WithHint("leave the field out");
}

}  // namespace mxc::cgroup
