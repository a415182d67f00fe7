#include "linux_runtime/cgroup/device_rules.h"

#include <charconv>
#include <limits>
#include <optional>

namespace mxc::cgroup {
namespace {

constexpr DeviceRule kDefaults[] = {
    {true, 'c', -1, -1, kMknod},      {true, 'b', -1, -1, kMknod}, {true, 'c', 1, 3, kAllAccess},  // null
    {true, 'c', 1, 8, kAllAccess},                                                                 // random
    {true, 'c', 1, 7, kAllAccess},                                                                 // full
    {true, 'c', 5, 0, kAllAccess},                                                                 // tty
    {true, 'c', 1, 5, kAllAccess},                                                                 // zero
    {true, 'c', 1, 9, kAllAccess},                                                                 // urandom
    {true, 'c', 136, -1, kAllAccess},                                                              // pts/*
    {true, 'c', 5, 2, kAllAccess},                                                                 // ptmx
};

Error BadRule(size_t index, const std::string& why) {
  return Error(Code::kInvalid, "linux.resources.devices[" + std::to_string(index) + "]: " + why);
}

// -1 for any.
Result<int64_t> Number(const std::optional<int64_t>& value, size_t index, const char* what) {
  int64_t number = value.value_or(-1);
  if (number >= -1 && number <= std::numeric_limits<int32_t>::max()) return number;
  return BadRule(index, std::string(what) + " " + std::to_string(number) + " is no device number");
}

Result<uint8_t> Access(const std::string& letters, size_t index) {
  uint8_t access = 0;
  for (char letter : letters) {
    switch (letter) {
      case 'r':
        access |= kReadDevice;
        break;
      case 'w':
        access |= kWriteDevice;
        break;
      case 'm':
        access |= kMknod;
        break;
      default:
        return BadRule(index, "access '" + letters + "' has other letters than r, w and m");
    }
  }
  if (access == 0) return BadRule(index, "access is empty, which says nothing");
  return access;
}

std::string Letters(uint8_t access) {
  std::string letters;
  if ((access & kReadDevice) != 0) letters += 'r';
  if ((access & kWriteDevice) != 0) letters += 'w';
  if ((access & kMknod) != 0) letters += 'm';
  return letters;
}

std::string Line(char type, int64_t major, int64_t minor, uint8_t access) {
  auto number = [](int64_t value) { return value < 0 ? std::string("*") : std::to_string(value); };
  return std::string(1, type) + " " + number(major) + ":" + number(minor) + " " + Letters(access);
}

bool Covers(int64_t wide, int64_t narrow) { return wide < 0 || wide == narrow; }
bool Meets(int64_t one, int64_t other) { return one < 0 || other < 0 || one == other; }

// Takes the rule's access out of the exceptions, whose direction it reverses.
Result<void> TakeOut(DeviceTable& table, const DeviceRule& rule) {
  for (auto at = table.exceptions.begin(); at != table.exceptions.end();) {
    auto& [key, access] = *at;
    auto [type, major, minor] = key;
    if (type != rule.type || !Meets(major, rule.major) || !Meets(minor, rule.minor) || (access & rule.access) == 0) {
      ++at;
      continue;
    }
    if (!Covers(rule.major, major) || !Covers(rule.minor, minor)) {
      return Error(Code::kUnsupported,
                   "linux.resources.devices: '" + Line(rule.type, rule.major, rule.minor, rule.access) +
                       "' takes a part out of '" + Line(type, major, minor, access) + "', which cgroup v1 can't do")
          .WithHint("name the devices one by one");
    }
    access = static_cast<uint8_t>(access & ~rule.access);
    at = access == 0 ? table.exceptions.erase(at) : std::next(at);
  }
  return {};
}

std::string_view TakeWord(std::string_view& rest, char separator) {
  size_t end = rest.find(separator);
  std::string_view word = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return word;
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  if (text == "*") return -1;
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<DeviceRule>> DeviceRules(const std::vector<oci::DeviceCgroup>& given) {
  std::vector<DeviceRule> rules = {{false, 'a', -1, -1, kAllAccess}};
  for (size_t i = 0; i < given.size(); ++i) {
    const oci::DeviceCgroup& one = given[i];
    DeviceRule rule;
    rule.allow = one.allow;
    if (one.type.size() > 1 ||
        (one.type.size() == 1 && std::string_view("abc").find(one.type[0]) == std::string_view::npos)) {
      return BadRule(i, "type '" + one.type + "' is not a, b or c");
    }
    rule.type = one.type.empty() ? 'a' : one.type[0];
    rule.major = MXC_TRY(Number(one.major, i, "major"));
    rule.minor = MXC_TRY(Number(one.minor, i, "minor"));
    rule.access = MXC_TRY(Access(one.access, i));
    rules.push_back(rule);
  }
  rules.insert(rules.end(), std::begin(kDefaults), std::end(kDefaults));
  return rules;
}

std::vector<std::string> DeviceTable::Lines() const {
  std::vector<std::string> lines;
  for (const auto& [key, access] : exceptions) {
    lines.push_back(Line(std::get<0>(key), std::get<1>(key), std::get<2>(key), access));
  }
  return lines;
}

Result<DeviceTable> TableOf(const std::vector<DeviceRule>& rules) {
  DeviceTable table;
  for (const DeviceRule& rule : rules) {
    if (rule.type == 'a' && rule.major < 0 && rule.minor < 0 && rule.access == kAllAccess) {
      table = {rule.allow, {}};
      continue;
    }
    for (char type : {'b', 'c'}) {
      if (rule.type != 'a' && rule.type != type) continue;
      DeviceRule one = rule;
      one.type = type;
      if (rule.allow == table.allow_by_default) {
        MXC_TRY(TakeOut(table, one));
      } else {
        uint8_t& access = table.exceptions[{type, rule.major, rule.minor}];
        access = static_cast<uint8_t>(access | rule.access);
      }
    }
  }
  return table;
}

DeviceTable ParseDeviceList(std::string_view text) {
  DeviceTable table;
  while (!text.empty()) {
    std::string_view line = TakeWord(text, '\n');
    std::string_view type = TakeWord(line, ' ');
    if (type == "a") return {true, {}};
    auto major = ParseNumber(TakeWord(line, ':'));
    auto minor = ParseNumber(TakeWord(line, ' '));
    auto access = Access(std::string(line), 0);
    if ((type != "b" && type != "c") || !major || !minor || !access) continue;
    table.exceptions[{type[0], *major, *minor}] = *access;
  }
  return table;
}

}  // namespace mxc::cgroup
