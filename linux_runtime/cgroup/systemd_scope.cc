#include "linux_runtime/cgroup/systemd_scope.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace mxc::cgroup {
namespace {

constexpr uint64_t kDefaultPeriodUs = 100'000;

bool IsUnitName(std::string_view name, std::string_view suffix) {
  constexpr std::string_view kOther = ":_.\\-@+";
  if (name.size() <= suffix.size() || name.size() > 255 || !name.ends_with(suffix) || name[0] == '-') return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOther.find(c) != std::string_view::npos;
  });
}

Error BadPath(const std::string& path, const std::string& why) {
  return Error(Code::kInvalid, "linux.cgroupsPath: '" + path + "': " + why)
      .WithHint("with the systemd manager it has the form slice:prefix:name");
}

UnitProperty Bool(const char* name, bool value) { return {name, "b", {value ? "true" : "false"}}; }
UnitProperty Text(const char* name, std::string value) { return {name, "s", {std::move(value)}}; }
// UINT64_MAX is systemd's infinity.
UnitProperty Number(const char* name, uint64_t value) { return {name, "t", {std::to_string(value)}}; }

// Microseconds of each second, in whole percents, since systemd keeps no finer ones: rounded up.
uint64_t QuotaPerSecond(const Limits& limits) {
  if (*limits.cpu_quota_us == kUnlimited) return kUnlimited;
  constexpr uint64_t kPercent = 10'000;
  uint64_t period = limits.cpu_period_us.value_or(kDefaultPeriodUs);
  uint64_t per_second = *limits.cpu_quota_us * 1'000'000 / period;
  return (per_second + kPercent - 1) / kPercent * kPercent;
}

// "0-2,5" as the bytes of a mask, least first. Nothing where the text is no list; the kernel then says so.
std::optional<UnitProperty> Mask(const char* name, std::string_view list) {
  std::vector<uint8_t> bytes;
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(word.size() + 1, list.size()));
    uint16_t first = 0, last = 0;
    auto [next, error] = std::from_chars(word.data(), word.data() + word.size(), first);
    last = first;
    if (error != std::errc()) return std::nullopt;
    if (next != word.data() + word.size()) {
      auto [end, second] = std::from_chars(next + 1, word.data() + word.size(), last);
      if (*next != '-' || second != std::errc() || end != word.data() + word.size() || last < first)
        return std::nullopt;
    }
    if (bytes.size() < last / 8u + 1) bytes.resize(last / 8u + 1);
    for (uint32_t i = first; i <= last; ++i) bytes[i / 8] = static_cast<uint8_t>(bytes[i / 8] | 1u << (i % 8));
  }
  UnitProperty property{name, "ay", {std::to_string(bytes.size())}};
  for (uint8_t byte : bytes) property.words.push_back(std::to_string(byte));
  return property;
}

void AddLimitsV2(const Limits& limits, std::vector<UnitProperty>& list) {
  if (limits.memory_bytes) list.push_back(Number("MemoryMax", *limits.memory_bytes));
  if (limits.reservation_bytes) list.push_back(Number("MemoryLow", *limits.reservation_bytes));
  if (auto both = limits.memory_and_swap_bytes; both && (*both == kUnlimited || limits.memory_bytes)) {
    list.push_back(Number("MemorySwapMax", *both == kUnlimited ? kUnlimited : *both - *limits.memory_bytes));
  }
  // The settings convert the shares; systemd gets the same number.
  auto settings = SettingsFor(limits, Version::kV2, Purpose::kUpdate);
  for (const Setting& setting : settings ? *settings : std::vector<Setting>{}) {
    if (setting.file == "cpu.weight") list.push_back({"CPUWeight", "t", {setting.value}});
  }
  if (auto cpus = Mask("AllowedCPUs", limits.cpuset_cpus); cpus && !limits.cpuset_cpus.empty()) list.push_back(*cpus);
  if (auto mems = Mask("AllowedMemoryNodes", limits.cpuset_mems); mems && !limits.cpuset_mems.empty())
    list.push_back(*mems);
}

std::string DriverOf(std::string_view devices, char type, int64_t major) {
  bool right = false;
  while (!devices.empty()) {
    std::string_view line = devices.substr(0, devices.find('\n'));
    devices.remove_prefix(std::min(line.size() + 1, devices.size()));
    if (line.ends_with("devices:")) right = line.starts_with(type == 'c' ? "Character" : "Block");
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    int64_t number = -1;
    auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (!right || error != std::errc() || number != major) continue;
    std::string_view name = line.substr(std::min(static_cast<size_t>(end - line.data()) + 1, line.size()));
    if (!name.empty()) return std::string(name);
  }
  return "";
}

// A GVariant number or "TYPE number".
std::optional<UnitProperty> NumberProperty(const std::string& name, std::string_view value) {
  struct Type {
    std::string_view name;
    char signature;
  };
  static constexpr Type kTypes[] = {{"byte", 'y'},   {"int16", 'n'}, {"uint16", 'q'}, {"int32", 'i'},
                                    {"uint32", 'u'}, {"int64", 'x'}, {"uint64", 't'}, {"double", 'd'}};
  char signature = value.find('.') != std::string_view::npos ? 'd' : 'i';
  for (const Type& type : kTypes) {
    if (!value.starts_with(type.name) || value.size() <= type.name.size() || value[type.name.size()] != ' ') continue;
    signature = type.signature;
    value.remove_prefix(type.name.size() + 1);
    break;
  }
  double number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return UnitProperty{name, std::string(1, signature), {std::string(value)}};
}

std::optional<UnitProperty> ReadVariant(const std::string& name, std::string_view value) {
  if (value == "true" || value == "false") return UnitProperty{name, "b", {std::string(value)}};
  bool quoted = value.size() >= 2 && (value[0] == '\'' || value[0] == '"') && value.back() == value[0];
  if (!quoted) return NumberProperty(name, value);
  std::string_view inside = value.substr(1, value.size() - 2);
  if (inside.find(value[0]) != std::string_view::npos || inside.find('\\') != std::string_view::npos)
    return std::nullopt;
  return UnitProperty{name, "s", {std::string(inside)}};
}

// TimeoutStopSec → TimeoutStopUSec: D-Bus knows the latter only, as uint64.
std::optional<UnitProperty> InMicroseconds(UnitProperty property) {
  uint64_t seconds = 0;
  const std::string& word = property.words[0];
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (error != std::errc() || end != word.data() + word.size() || seconds > UINT64_MAX / 1'000'000) return std::nullopt;
  property.name.insert(property.name.size() - 3, "U");
  property.signature = "t";
  property.words = {std::to_string(seconds * 1'000'000)};
  return property;
}

std::vector<std::string> Call(const char* method, const char* signature, std::vector<std::string> rest) {
  // "--": a word of the value may start with '-'.
  std::vector<std::string> words = {
      "--",   "call",   "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
      method, signature};
  std::move(rest.begin(), rest.end(), std::back_inserter(words));
  return words;
}

void Append(const std::vector<UnitProperty>& properties, std::vector<std::string>& words) {
  for (const UnitProperty& property : properties) {
    words.push_back(property.name);
    words.push_back(property.signature);
    words.insert(words.end(), property.words.begin(), property.words.end());
  }
}

}  // namespace

Result<ScopeName> ReadScopePath(const std::string& cgroups_path, const std::string& id, bool rootless) {
  std::string slice, prefix = "mxc", name = id;
  if (!cgroups_path.empty()) {
    size_t first = cgroups_path.find(':');
    size_t second = first == std::string::npos ? first : cgroups_path.find(':', first + 1);
    if (second == std::string::npos || cgroups_path.find(':', second + 1) != std::string::npos) {
      return BadPath(cgroups_path, "it does not have three parts");
    }
    slice = cgroups_path.substr(0, first);
    prefix = cgroups_path.substr(first + 1, second - first - 1);
    name = cgroups_path.substr(second + 1);
  }
  if (slice.empty()) slice = rootless ? "user.slice" : "system.slice";
  if (!IsUnitName(slice, ".slice")) return BadPath(cgroups_path, "'" + slice + "' is not the name of a slice");
  if (name.ends_with(".slice")) return BadPath(cgroups_path, "a container can't be a slice");
  std::string unit = (prefix.empty() ? "" : prefix + "-") + name + ".scope";
  if (name.empty() || !IsUnitName(unit, ".scope"))
    return BadPath(cgroups_path, "'" + unit + "' is not the name of a unit");
  return ScopeName{std::move(slice), std::move(unit)};
}

std::vector<UnitProperty> LimitProperties(const Limits& limits, Version version) {
  std::vector<UnitProperty> list;
  if (version == Version::kV2) {
    AddLimitsV2(limits, list);
  } else {
    if (limits.memory_bytes) list.push_back(Number("MemoryLimit", *limits.memory_bytes));
    if (limits.cpu_shares) list.push_back(Number("CPUShares", *limits.cpu_shares));
    if (limits.block_io.weight.value_or(0) != 0) list.push_back(Number("BlockIOWeight", *limits.block_io.weight));
  }
  if (limits.cpu_quota_us) list.push_back(Number("CPUQuotaPerSecUSec", QuotaPerSecond(limits)));
  if (limits.cpu_period_us) list.push_back(Number("CPUQuotaPeriodUSec", *limits.cpu_period_us));
  if (limits.pids) list.push_back(Number("TasksMax", *limits.pids));
  return list;
}

std::vector<UnitProperty> DeviceProperties(const DeviceTable& table, std::string_view devices) {
  if (table.allow_by_default) return {};
  UnitProperty allow{"DeviceAllow", "a(ss)", {"0"}};
  size_t count = 0;
  for (const auto& [key, access] : table.exceptions) {
    auto [type, major, minor] = key;
    std::string name = type == 'c' ? "char" : "block", node;
    if (major >= 0 && minor >= 0) {
      node = "/dev/" + name + "/" + std::to_string(major) + ":" + std::to_string(minor);
    } else if (minor >= 0) {
      continue;  // one minor of any major: systemd has no words for it
    } else {
      std::string driver = major < 0 ? "*" : DriverOf(devices, type, major);
      if (driver.empty()) continue;  // no such driver is loaded
      node = name + "-" + driver;
    }
    std::string letters;
    for (auto [bit, letter] : {std::pair{kReadDevice, 'r'}, {kWriteDevice, 'w'}, {kMknod, 'm'}}) {
      if ((access & bit) != 0) letters += letter;
    }
    allow.words.push_back(node);
    allow.words.push_back(letters);
    ++count;
  }
  allow.words[0] = std::to_string(count);
  return {Text("DevicePolicy", "strict"), std::move(allow)};
}

Result<std::vector<UnitProperty>> AnnotatedProperties(const std::map<std::string, std::string>& annotations) {
  constexpr std::string_view kPrefix = "org.systemd.property.";
  std::vector<UnitProperty> list;
  for (auto at = annotations.lower_bound(std::string(kPrefix));
       at != annotations.end() && at->first.starts_with(kPrefix); ++at) {
    std::string name = at->first.substr(kPrefix.size());
    bool letters = name.size() >= 2 && std::all_of(name.begin(), name.end(), [](char c) {
                     return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                   });
    if (!letters)
      return Error(Code::kInvalid, "annotation " + at->first + ": '" + name + "' is not the name of a property");
    auto property = ReadVariant(name, at->second);
    if (property && name.ends_with("Sec") && !name.ends_with("USec")) property = InMicroseconds(std::move(*property));
    if (!property) {
      return Error(Code::kInvalid,
                   "annotation " + at->first + ": the value '" + at->second +
                       "' is not read here: expected 'text', true, false, a number, or a type and a number");
    }
    list.push_back(std::move(*property));
  }
  return list;
}

std::vector<std::string> StartScopeCall(const ScopeRequest& request) {
  std::vector<UnitProperty> properties = {
      Text("Description", "mxc container " + request.id),
      Text("Slice", request.name.slice),
      Bool("Delegate", true),
      {"PIDs", "au", {"1", std::to_string(request.pid)}},
      Bool("MemoryAccounting", true),
      Bool("CPUAccounting", true),
      Bool(request.version == Version::kV2 ? "IOAccounting" : "BlockIOAccounting", true),
      Bool("TasksAccounting", true),
      Bool("DefaultDependencies", false),
  };
  for (const auto* more : {&request.limits, &request.devices, &request.annotated}) {
    properties.insert(properties.end(), more->begin(), more->end());
  }
  std::vector<std::string> words = {request.name.unit, "replace", std::to_string(properties.size())};
  Append(properties, words);
  words.emplace_back("0");  // no auxiliary units
  return Call("StartTransientUnit", "ssa(sv)a(sa(sv))", std::move(words));
}

std::vector<std::string> SetPropertiesCall(const std::string& unit, const std::vector<UnitProperty>& properties) {
  std::vector<std::string> words = {unit, "true", std::to_string(properties.size())};
  Append(properties, words);
  return Call("SetUnitProperties", "sba(sv)", std::move(words));
}

std::vector<std::string> StopUnitCall(const std::string& unit) { return Call("StopUnit", "ss", {unit, "replace"}); }

std::vector<std::string> ResetFailedCall(const std::string& unit) { return Call("ResetFailedUnit", "s", {unit}); }

}  // namespace mxc::cgroup
