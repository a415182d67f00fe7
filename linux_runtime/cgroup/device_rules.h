// linux.resources.devices: which device files the processes of a group may open and make.
//
// The rules are read as runc reads them: everything is denied at first, each rule then allows or denies, the last one
// that matches wins, for reading, writing and mknod each on its own; and the devices that every container has (null,
// zero, full, random, urandom, tty, ptmx, pts/*) are allowed at the end, as is mknod of any, since a node that may not
// be opened harms nobody. Source: runc, libcontainer/specconv, AllowedDevices.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::cgroup {

// As BPF_DEVCG_ACC_* of linux/bpf.h.
inline constexpr uint8_t kMknod = 1, kReadDevice = 2, kWriteDevice = 4, kAllAccess = 7;

struct DeviceRule {
  bool allow = false;
  char type = 'a';                 // a: b and c
  int64_t major = -1, minor = -1;  // -1: any
  uint8_t access = 0;
  bool operator==(const DeviceRule&) const = default;
};

// All rules in order: deny everything, the bundle's, the defaults. An error names the entry.
Result<std::vector<DeviceRule>> DeviceRules(const std::vector<oci::DeviceCgroup>& given);

// What the devices controller of v1 can say: allow or deny by default, and exceptions from that.
struct DeviceTable {
  bool allow_by_default = false;
  std::map<std::tuple<char, int64_t, int64_t>, uint8_t> exceptions;  // (type, major, minor) → access
  bool operator==(const DeviceTable&) const = default;

  // "c 1:3 rwm", "b *:* m" of each exception.
  std::vector<std::string> Lines() const;
};
// An error where one rule takes a part out of what another covers (allow c 1:*, deny c 1:5), which v1 can't say.
Result<DeviceTable> TableOf(const std::vector<DeviceRule>& rules);
// devices.list of a group, which has no exceptions where it allows by default. Lines that aren't rules are skipped.
DeviceTable ParseDeviceList(std::string_view text);

}  // namespace mxc::cgroup
