// A transient scope of systemd for a container: its name, its properties, and what busctl(1) is told so that systemd makes
// it. Text in, text out; busctl.h runs it.
//
// Source: org.freedesktop.systemd1(5), systemd.resource-control(5), busctl(1). What runc and crun set is set too, since
// podman relies on it.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "linux_runtime/cgroup/device_rules.h"
#include "linux_runtime/cgroup/limits.h"
#include "shared/base/result.h"

namespace mxc::cgroup {

struct ScopeName {
  std::string slice;  // "machine.slice"
  std::string unit;   // "libpod-ID.scope"
  bool operator==(const ScopeName&) const = default;
};

// linux.cgroupsPath as "slice:prefix:name". Empty: system.slice (rootless: user.slice), prefix "mxc", the id. An empty
// slice is the default one, an empty prefix leaves "name.scope".
Result<ScopeName> ReadScopePath(const std::string& cgroups_path, const std::string& id, bool rootless);

// One property as busctl takes it: name, D-Bus signature, then the value's words.
struct UnitProperty {
  std::string name, signature;
  std::vector<std::string> words;
  bool operator==(const UnitProperty&) const = default;
};

// The limits that systemd has a property for; the others, and these once more, are written into the group's files. systemd
// has to know them, or it resets them when it reloads.
std::vector<UnitProperty> LimitProperties(const Limits& limits, Version version);

// v1: DevicePolicy and DeviceAllow, without which systemd opens the devices controller again at the next reload. Nothing
// where a table allows by default. `devices` is /proc/devices: systemd names "any minor of this major" by the driver.
std::vector<UnitProperty> DeviceProperties(const DeviceTable& table, std::string_view devices);

// Annotations "org.systemd.property.NAME" with a value in GVariant's text form, of which these are read: 'text', true,
// false, numbers, and "uint64 5" and its kin. A NAME that ends in Sec becomes the one in USec, its value times a million.
Result<std::vector<UnitProperty>> AnnotatedProperties(const std::map<std::string, std::string>& annotations);

struct ScopeRequest {
  ScopeName name;
  std::string id;
  pid_t pid = 0;
  Version version = Version::kV2;
  std::vector<UnitProperty> limits, devices, annotated;
};

// The words after `busctl --user|--system` for each call to systemd's manager object.
std::vector<std::string> StartScopeCall(const ScopeRequest& request);
std::vector<std::string> SetPropertiesCall(const std::string& unit, const std::vector<UnitProperty>& properties);
std::vector<std::string> StopUnitCall(const std::string& unit);
std::vector<std::string> ResetFailedCall(const std::string& unit);

}  // namespace mxc::cgroup
